// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"

	"github.com/waybill-go/waybill/examples/guild/internal/api"
	"github.com/waybill-go/waybill/examples/guild/internal/browser"
	"github.com/waybill-go/waybill/examples/guild/internal/edge"
	"github.com/waybill-go/waybill/examples/guild/internal/guilds"
	"github.com/waybill-go/waybill/examples/guild/internal/sessions"
	"github.com/waybill-go/waybill/examples/guild/internal/store"
	"github.com/waybill-go/waybill/examples/guild/internal/telemetry"
	"github.com/waybill-go/waybill/examples/guild/internal/web"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/propagate"
	"github.com/waybill-go/waybill/sampling"
)

// shutdownTime is how long the services may take to finish what they have.
const shutdownTime = 10 * time.Second

// closeTime is how long the store may then take to note how far they have come.
const closeTime = 2 * time.Second

// services are the three services, serving on sockets of their own.
type services struct {
	store    *store.Store
	guilds   *guilds.Service
	sessions *sessions.Service
	api      *api.Service
	ops      *edge.Server

	apiAddr string // HOST:PORT that the API and the page can be visited at
	opsAddr string // and what is for operators

	serving sync.WaitGroup
	failed  chan error // of a service that stopped serving by itself; holds one each
}

// start starts the services, the ones that others need first.
func start(ctx context.Context, c Config, tel *telemetry.Telemetry, log *slog.Logger) (s *services, err error) {
	listeners, err := listen(ctx, c)
	if err != nil {
		return nil, err
	}
	s = &services{
		apiAddr: visitable(listeners.api.Addr().String()),
		opsAddr: visitable(listeners.ops.Addr().String()),
		failed:  make(chan error, 3), //nolint:mnd // One for each listener.
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
	s.serve("operators' listener", s.ops.Serve, listeners.ops)
	return s, nil
}

func (s *services) build(
	ctx context.Context, c Config, tel *telemetry.Telemetry, log *slog.Logger, guildsAddr string,
) error {
	propagator := propagate.SampledFirst{}
	control, err := newControl()
	if err != nil {
		return err
	}
	provider, err := tel.Provider(ctx, "guild", telemetry.Inner())
	if err != nil {
		return err
	}
	token := guilds.NewToken()
	if s.guilds, err = guilds.New(guilds.Config{
		Guilds: c.Guilds, Store: s.store, Provider: provider, Propagator: propagator, Control: control, Token: token,
		Idle: c.Idle, Faults: c.Faults, Logger: log,
	}); err != nil {
		return err
	}
	s.ops = edge.NewServer(edge.Protect(operators(control, tel, s.guilds), hostOf(c.Ops)...), log)
	if provider, err = tel.Provider(ctx, "session", telemetry.Inner()); err != nil {
		return err
	}
	if s.sessions, err = sessions.New(s.guilds, s.store, provider, control, log); err != nil {
		return err
	}
	entry := telemetry.EntryPoint(c.Sample)
	if c.SampleEnv {
		entry = nil
	}
	if provider, err = tel.Provider(ctx, "chat-api", entry); err != nil {
		return err
	}
	// Whether a post is sampled is decided where it comes in.
	pages, err := tel.Provider(ctx, browser.Service, sdktrace.AlwaysSample(), sdktrace.WithIDGenerator(browser.IDs()))
	if err != nil {
		return err
	}
	s.api, err = api.New(ctx, api.Config{
		Store: s.store, Guilds: c.Guilds, GuildsAddr: guildsAddr, Token: token, Provider: provider, Propagator: propagator,
		Page:     web.Handler(web.Config{Guilds: c.Guilds, View: s.guilds.View, Recorder: tel.Recorder}),
		Sessions: s.sessions.WebSockets,
		Browser:  pages,
		Policy:   c.Browser,
		Names:    c.names(),
		Logger:   log,
	})
	return err
}

// operators serves what strangers must not reach: what is traced, which whoever gets
// there can change for everybody, what became of the spans, and how the guilds do.
func operators(control http.Handler, tel *telemetry.Telemetry, g *guilds.Service) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/tracing", control)
	mux.HandleFunc("GET /exports", func(w http.ResponseWriter, _ *http.Request) { answer(w, tel.Exports()) })
	mux.HandleFunc("GET /guilds", func(w http.ResponseWriter, _ *http.Request) {
		n := g.Stats()
		answer(w, map[string]any{
			"processes": n.Processes, "passivated": n.Passivated, "restarts": n.Restarts, "save_failures": n.SaveFailures,
		})
	})
	return mux
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // An operator who has gone does not matter.
}

// newControl makes what the tracing of all services follows: sessions that are
// slow leave a span though nobody chose them, and are counted by those. So do
// deliveries that fail. Both are as many as clients make them, who may be hostile,
// so there is a bound, the library's own of ten a second: beyond it failures are
// counted and leave no span, and of the slow ones a share is chosen that stands
// for all.
func newControl() (*sampling.Control, error) {
	c := sampling.Config{}
	session := sampling.KindConfig{}
	session.Late = sampling.Late{Failures: true, SlowerThan: sessions.SlowAfter, CountSlow: true}
	c.Kinds = map[string]sampling.KindConfig{sessions.Kind: session}
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

// shutdown finishes what has begun, in the order in which the work flows. It returns
// what was left undone for lack of time apart from what went wrong.
func (s *services) shutdown() (left, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	for _, end := range []func(context.Context) error{
		s.ops.Shutdown, s.api.Shutdown, s.guilds.Shutdown, s.sessions.Shutdown,
	} {
		failure := end(ctx)
		if undone := (*mailbox.ShutdownError)(nil); errors.As(failure, &undone) {
			left = errors.Join(left, failure)
		} else {
			err = errors.Join(err, failure)
		}
	}
	s.serving.Wait()
	closing, cancelClosing := context.WithTimeout(context.Background(), closeTime)
	defer cancelClosing()
	return left, errors.Join(err, s.store.Close(closing))
}

// listeners are the sockets of the services.
type listeners struct{ api, grpc, ops net.Listener }

// listen opens them: the API with the page and the WebSockets on one, so that they
// are of one origin; what is for operators on another, which strangers need not be
// able to reach; and the guild service where only this machine reaches it.
func listen(ctx context.Context, c Config) (l listeners, err error) {
	var lc net.ListenConfig
	for _, one := range []struct {
		listener *net.Listener
		addr     string
	}{{&l.api, c.Addr}, {&l.ops, c.Ops}, {&l.grpc, "127.0.0.1:0"}} {
		if *one.listener, err = lc.Listen(ctx, "tcp", one.addr); err != nil {
			l.close()
			return l, fmt.Errorf("cannot serve on %s: %w", one.addr, err)
		}
	}
	return l, nil
}

func (l listeners) close() {
	for _, listener := range []net.Listener{l.api, l.ops, l.grpc} {
		if listener != nil {
			_ = listener.Close()
		}
	}
}
