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
	"sync/atomic"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"

	"github.com/waybill-go/waybill/examples/guild/internal/api"
	"github.com/waybill-go/waybill/examples/guild/internal/browser"
	"github.com/waybill-go/waybill/examples/guild/internal/edge"
	"github.com/waybill-go/waybill/examples/guild/internal/guilds"
	"github.com/waybill-go/waybill/examples/guild/internal/nodes"
	"github.com/waybill-go/waybill/examples/guild/internal/sessions"
	"github.com/waybill-go/waybill/examples/guild/internal/store"
	"github.com/waybill-go/waybill/examples/guild/internal/telemetry"
	"github.com/waybill-go/waybill/examples/guild/internal/trouble"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/propagate"
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
	trouble  *trouble.Board
	poster   *poster

	hub   *nodes.Hub                  // to other nodes; nil if there are none
	fleet atomic.Pointer[nodes.Fleet] // of session nodes; nil if there are none, or not yet

	apiAddr string // HOST:PORT that the API and the page can be visited at
	opsAddr string // and what is for operators

	serving sync.WaitGroup
	failed  chan error // of a service that stopped serving by itself; holds one each
}

// start starts the services, the ones that others need first.
func start(
	ctx context.Context, c Config, tel *telemetry.Telemetry, in *insight, log *slog.Logger,
) (s *services, err error) {
	listeners, err := listen(ctx, c)
	if err != nil {
		return nil, err
	}
	s = &services{
		apiAddr: visitable(listeners.api.Addr().String()),
		opsAddr: visitable(listeners.ops.Addr().String()),
		failed:  make(chan error, 3), //nolint:mnd // One for each listener.
	}
	s.poster = newPoster(s.apiAddr)
	s.trouble = trouble.NewBoard(trouble.Config{
		Guilds: c.Guilds, Logger: log,
		Post: func(ctx context.Context, guild int64, content string) error {
			_, err := s.poster.post(ctx, guild, "traffic", content)
			return err
		},
	})
	if s.store, err = store.Open(ctx, store.Config{File: c.DB, Guilds: c.Guilds, Keep: c.Keep}); err != nil {
		listeners.close()
		return nil, err
	}
	if err = s.build(ctx, c, tel, in, log, listeners.grpc.Addr().String()); err != nil {
		listeners.close()
		if s.hub != nil {
			_ = s.hub.Close(ctx)
		}
		_ = s.store.Close(ctx)
		return nil, err
	}
	s.serve("guild service", s.guilds.Serve, listeners.grpc)
	s.serve("chat API", s.api.Serve, listeners.api)
	s.serve("operators' listener", s.ops.Serve, listeners.ops)
	return s, nil
}

func (s *services) build(
	ctx context.Context, c Config, tel *telemetry.Telemetry, in *insight, log *slog.Logger, guildsAddr string,
) error {
	propagator := propagate.SampledFirst{}
	provider, err := tel.Provider(ctx, "guild", telemetry.Inner())
	if err != nil {
		return err
	}
	token := guilds.NewToken()
	config := guilds.Config{
		Guilds: c.Guilds, Store: s.store, Provider: provider, Propagator: propagator, Token: token,
		Control: in.control, Meters: in.meters, Timings: in.timings,
		Idle: c.Idle, Faults: c.Faults, Trouble: s.trouble, Logger: log,
	}
	if err := s.buildGuilds(ctx, c, config); err != nil {
		return err
	}
	s.ops = edge.NewServer(edge.Protect(s.operators(c, tel, in), hostOf(c.Ops)...), log)
	if provider, err = tel.Provider(ctx, "session", telemetry.Inner()); err != nil {
		return err
	}
	if s.sessions, err = sessions.New(sessions.Config{
		Directory: s.guilds, History: s.store, Provider: provider, Trouble: s.trouble, Logger: log,
		Control: in.control, Meters: in.meters, Timings: in.timings, Lossy: c.Nodes > 0,
	}); err != nil {
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
		Page:     s.public(c, in),
		Sessions: s.sessions.WebSockets,
		Browser:  pages,
		Policy:   c.Browser,
		Names:    c.names(),
		Logger:   log,
	})
	return err
}

// buildGuilds makes the guild service, with the way to other nodes if there are to be some.
func (s *services) buildGuilds(ctx context.Context, c Config, config guilds.Config) (err error) {
	if c.Nodes == 0 {
		s.guilds, err = guilds.New(config)
		return err
	}
	s.hub, err = nodes.NewHub(ctx, nodes.HubConfig{
		NATS: c.NATS, Guilds: c.Guilds, History: s.store,
		Provider: config.Provider, Control: config.Control, Logger: config.Logger,
	})
	if err != nil {
		return err
	}
	config.Sessions = s.hub.Sessions
	if s.guilds, err = guilds.New(config); err != nil {
		return err
	}
	return s.hub.Serve(ctx, s.guilds)
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
	s.trouble.Close()
	s.poster.close()
	for _, end := range []func(context.Context) error{
		s.ops.Shutdown, s.api.Shutdown, s.endNodes, s.guilds.Shutdown, s.sessions.Shutdown, s.leaveNodes,
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
