// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package api is the chat API: it stores each post and hands it to the guild
// service by gRPC, now or later. It also serves the page.
package api

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/waybill-go/waybill/examples/guild/guildpb"
	"github.com/waybill-go/waybill/examples/guild/internal/browser"
	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/examples/guild/internal/edge"
	"github.com/waybill-go/waybill/examples/guild/internal/store"
	"github.com/waybill-go/waybill/propagate"
)

// Service is the chat API.
type Service struct {
	store      *store.Store
	outbox     *outbox
	tracer     trace.Tracer
	propagator propagation.TextMapPropagator
	conn       *grpc.ClientConn
	server     *edge.Server
	log        *slog.Logger
	posts      atomic.Int64

	// Of posts by frame.
	entry   trace.Tracer // where traces begin
	policy  propagate.Policy
	browser *browser.Recorder
	seen    *seen
	closing context.Context //nolint:containedctx // Ends the wait of posts for their turn.
	close   context.CancelFunc
	mu      sync.Mutex
	working sync.WaitGroup // frames; no more once it is closing
}

// errClosed means that the service shuts down.
var errClosed = errors.New("the service shuts down")

// Config says where the service finds the others. All fields are needed.
type Config struct {
	Store      *store.Store
	Guilds     int                           // how many there are
	GuildsAddr string                        // HOST:PORT of the guild service
	Token      credentials.PerRPCCredentials // that it wants to be shown
	Provider   trace.TracerProvider
	Propagator propagation.TextMapPropagator // to the guild service; strangers' headers are not read by it
	Control    http.Handler                  // of the tracing, at /tracing
	Sessions   func(chat.Door) http.Handler  // of WebSockets, at /ws, whose frames go through the door
	Browser    trace.TracerProvider          // of the spans that pages report; it has [browser.IDs]
	Policy     propagate.Policy              // for the traces of browsers
	Page       http.Handler                  // what is served outside the API
	Names      []string                      // that it is visited by, besides addresses
	Logger     *slog.Logger                  // gets what clients are not told
}

// New makes the service, and begins to deliver what the store has left. ctx bounds
// the making.
func New(ctx context.Context, c Config) (*Service, error) {
	conn, err := grpc.NewClient(c.GuildsAddr,
		grpc.WithTransportCredentials(insecure.NewCredentials()), // Loopback only.
		grpc.WithPerRPCCredentials(c.Token),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{
			BaseDelay: minRetry, Multiplier: 2, Jitter: 0.2, MaxDelay: maxRetry,
		}, MinConnectTimeout: maxRetry}),
		grpc.WithStatsHandler(otelgrpc.NewClientHandler(
			otelgrpc.WithTracerProvider(c.Provider), otelgrpc.WithPropagators(c.Propagator))))
	if err != nil {
		return nil, err
	}
	box, err := newOutbox(ctx, c.Guilds, c.Store, guildpb.NewGuildsClient(conn), c.Propagator, c.Logger)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	s := &Service{
		store:      c.Store,
		outbox:     box,
		tracer:     c.Provider.Tracer("github.com/waybill-go/waybill/examples/guild/api"),
		propagator: c.Propagator,
		conn:       conn,
		log:        c.Logger,
		policy:     c.Policy,
		browser:    browser.New(c.Browser),
		seen:       newSeen(),
	}
	s.closing, s.close = context.WithCancel(context.Background())
	mux := http.NewServeMux()
	// Whoever posts here may be a stranger, who could join all requests into one trace
	// without an end, have each of them recorded, or say that one span stands for a
	// million. So the trace that a request brings is not continued: the request begins
	// one of its own, which our sampler decides on, and which links to the stranger's.
	public := propagate.Boundary{Policy: propagate.Link, Propagator: propagate.TraceContext{}}
	s.entry = public.TracerProvider(c.Provider).Tracer("github.com/waybill-go/waybill/examples/guild/api")
	// Posts are what traces are about. Named by their route.
	mux.Handle("POST /guilds/{guild}/messages", otelhttp.NewHandler(http.HandlerFunc(s.post), "",
		otelhttp.WithTracerProvider(public.TracerProvider(c.Provider)), otelhttp.WithPropagators(public)))
	mux.HandleFunc("GET /guilds/{guild}/messages", s.list)
	mux.Handle("GET /ws", edge.WebSockets(c.Sessions(s.open)))
	mux.Handle("/", c.Page)
	s.server = edge.NewServer(edge.Protect(mux, c.Names...), c.Logger)
	return s, nil
}

// Serve answers HTTP on listener until Shutdown.
func (s *Service) Serve(listener net.Listener) error { return s.server.Serve(listener) }

// Posts returns how many posts have been stored so far.
func (s *Service) Posts() int64 { return s.posts.Load() }

// enter lets a frame in, until it is Done, unless the service shuts down.
func (s *Service) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Err() != nil {
		return false
	}
	s.working.Add(1)
	return true
}

// Shutdown finishes the requests and frames that end in time. The store stays open.
func (s *Service) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.close()
	s.mu.Unlock()
	err := s.server.Shutdown(ctx)
	done := make(chan struct{})
	go func() { s.working.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		err = errors.Join(err, ctx.Err())
	}
	s.outbox.close()
	return errors.Join(err, s.conn.Close())
}
