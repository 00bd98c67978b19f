// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/waybill-go/waybill/examples/guild/internal/api"
	"github.com/waybill-go/waybill/examples/guild/internal/guilds"
	"github.com/waybill-go/waybill/examples/guild/internal/sessions"
	"github.com/waybill-go/waybill/examples/guild/internal/store"
	"github.com/waybill-go/waybill/examples/guild/internal/telemetry"
	"github.com/waybill-go/waybill/examples/guild/internal/web"
	"github.com/waybill-go/waybill/propagate"
	"github.com/waybill-go/waybill/sampling"
)

// shutdownTime is how long the services may take to finish what they have.
const shutdownTime = 10 * time.Second

// services are the three services, serving on sockets of their own.
type services struct {
	store    *store.Store
	guilds   *guilds.Service
	sessions *sessions.Service
	api      *api.Service

	apiAddr string // HOST:PORT that the API and the page can be visited at

	serving sync.WaitGroup
	failed  chan error // of a service that stopped serving by itself; holds one each
}

// start starts the services, the ones that others need first.
func start(ctx context.Context, c Config, tel *telemetry.Telemetry, log *slog.Logger) (s *services, err error) {
	listeners, err := listen(ctx, c.Addr)
	if err != nil {
		return nil, err
	}
	s = &services{
		apiAddr: visitable(listeners.api.Addr().String()),
		failed:  make(chan error, 2), //nolint:mnd // One for each listener.
	}
	if s.store, err = store.Open(ctx, store.Config{File: c.DB, Guilds: c.Guilds, Keep: c.Keep}); err != nil {
		listeners.close()
		return nil, err
	}
	if err = s.build(ctx, c, tel, log, listeners.grpc.Addr().String()); err != nil {
		listeners.close()
		_ = s.store.Close(ctx)
		return nil, err
	}
	s.serve("guild service", s.guilds.Serve, listeners.grpc)
	s.serve("chat API", s.api.Serve, listeners.api)
	return s, nil
}

func (s *services) build(
	ctx context.Context, c Config, tel *telemetry.Telemetry, log *slog.Logger, guildsAddr string,
) error {
	propagator := propagate.NewSampledFirst()
	control, err := newControl()
	if err != nil {
		return err
	}
	provider, err := tel.Provider(ctx, "guild", telemetry.Inner())
	if err != nil {
		return err
	}
	last := func(guild int64) (int64, error) {
		mark, err := s.store.Mark(ctx, guild)
		return mark.Delivered, err
	}
	if s.guilds, err = guilds.New(c.Guilds, last, provider, propagator, control); err != nil {
		return err
	}
	if provider, err = tel.Provider(ctx, "session", telemetry.Inner()); err != nil {
		return err
	}
	if s.sessions, err = sessions.New(s.guilds, provider, control, log); err != nil {
		return err
	}
	entry := telemetry.EntryPoint(c.Sample)
	if c.SampleEnv {
		entry = nil
	}
	if provider, err = tel.Provider(ctx, "chat-api", entry); err != nil {
		return err
	}
	s.api, err = api.New(ctx, api.Config{
		Store: s.store, Guilds: c.Guilds, GuildsAddr: guildsAddr, Provider: provider, Propagator: propagator, Control: control,
		Page:     web.Handler(web.Config{Guilds: c.Guilds, Recorder: tel.Recorder}),
		Sessions: s.sessions,
		Names:    c.names(),
		Logger:   log,
	})
	return err
}

// newControl makes what the tracing of all services follows: sessions that are
// slow leave a span though nobody chose them, and are counted by those. So do
// deliveries that fail. Both are as many as clients make them, who may be hostile,
// so there is a bound, the library's own of ten a second: beyond it failures are
// counted and leave no span, and of the slow ones a share is chosen that stands
// for all.
func newControl() (*sampling.Control, error) {
	c := sampling.DefaultConfiguration()
	session := sampling.DefaultSettings()
	session.Late = sampling.Late{Failures: true, Slow: sessions.SlowAfter, Stratum: true}
	c.Kinds = map[string]sampling.Settings{sessions.Kind: session}
	return sampling.NewControl(c)
}

func (s *services) serve(name string, serve func(net.Listener) error, on net.Listener) {
	s.serving.Go(func() {
		err := serve(on)
		if err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, grpc.ErrServerStopped) {
			s.failed <- fmt.Errorf("%s: %w", name, err)
		}
	})
}

// shutdown finishes what has begun, in the order in which the work flows.
func (s *services) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	err := errors.Join(s.api.Shutdown(ctx), s.guilds.Shutdown(ctx), s.sessions.Shutdown(ctx), s.store.Close(ctx))
	s.serving.Wait()
	return err
}

// listeners are the sockets of the services.
type listeners struct{ api, grpc net.Listener }

// listen opens them: the API with the page and the WebSockets on addr, so that
// they are of one origin, and the guild service where only this machine reaches it.
func listen(ctx context.Context, addr string) (l listeners, err error) {
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	var lc net.ListenConfig
	if l.api, err = lc.Listen(ctx, "tcp", addr); err != nil {
		return l, fmt.Errorf("cannot serve on %s: %w", addr, err)
	}
	l.grpc, err = lc.Listen(ctx, "tcp", "127.0.0.1:0")
	return l, err
}

func (l listeners) close() {
	for _, listener := range []net.Listener{l.api, l.grpc} {
		if listener != nil {
			_ = listener.Close()
		}
	}
}
