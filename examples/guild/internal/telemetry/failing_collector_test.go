// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package telemetry_test

import (
	"context"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	otlp "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waybill-go/waybill/examples/guild/internal/telemetry"
)

const (
	// room is how many spans wait for a collector at most.
	room = 64
	// exportTimeout is how long the exporter tries to get rid of a batch.
	exportTimeout = 300 * time.Millisecond
	// shutdownTimeout is how long a shutdown may take, and grace what a busy machine may add.
	shutdownTimeout = 500 * time.Millisecond
	grace           = 10 * time.Second

	patience = 20 * time.Second
	poll     = 5 * time.Millisecond
)

// failing is a collector that fails as it is told.
type failing struct {
	otlp.UnimplementedTraceServiceServer

	taken   atomic.Int64 // Spans.
	hanging atomic.Bool  // It reads requests and does not answer.
	err     atomic.Pointer[status.Status]

	address string
	mu      sync.Mutex
	server  *grpc.Server // Nil while it is gone.
	served  chan struct{}
}

// Export implements the collector's service.
func (f *failing) Export(ctx context.Context, r *otlp.ExportTraceServiceRequest) (*otlp.ExportTraceServiceResponse, error) {
	if f.hanging.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if e := f.err.Load(); e != nil {
		return nil, e.Err()
	}
	for _, r := range r.GetResourceSpans() {
		for _, scope := range r.GetScopeSpans() {
			f.taken.Add(int64(len(scope.GetSpans())))
		}
	}
	return &otlp.ExportTraceServiceResponse{}, nil
}

// collect starts a collector that is exported to until the test ends.
func collect(t *testing.T) *failing {
	t.Helper()
	f := &failing{address: "127.0.0.1:0"}
	f.come(t)
	t.Cleanup(f.leave)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+f.address)
	t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", strconv.Itoa(room))
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
	timeout := strconv.FormatInt(exportTimeout.Milliseconds(), 10)
	t.Setenv("OTEL_BSP_EXPORT_TIMEOUT", timeout)
	t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", timeout)
	return f
}

// come serves, at the same address as before.
func (f *failing) come(t *testing.T) {
	t.Helper()
	var listener net.Listener
	require.Eventually(t, func() (ok bool) {
		var err error
		listener, err = net.Listen("tcp", f.address)
		return err == nil
	}, patience, poll)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.address = listener.Addr().String()
	server, served := grpc.NewServer(), make(chan struct{})
	otlp.RegisterTraceServiceServer(server, f)
	go func() {
		defer close(served)
		_ = server.Serve(listener) // Until it is stopped.
	}()
	f.server, f.served = server, served
}

// leave ends it at once, as a kill would.
func (f *failing) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.server != nil {
		f.server.Stop()
		<-f.served
		f.server = nil
	}
}

// service is one that exports to a failing collector.
type service struct {
	t         *testing.T
	telemetry *telemetry.Telemetry
	work      func() // Makes a span.
	ended     int64  // Spans.
	mu        sync.Mutex
	warnings  []string
}

func serve(t *testing.T) *service {
	t.Helper()
	s := &service{t: t}
	s.telemetry = telemetry.New(t.Context(), telemetry.Config{
		Processors: []sdktrace.SpanProcessor{}, Terminal: io.Discard, Warn: s.warn,
	})
	provider, err := s.telemetry.Provider(t.Context(), "sessions", sdktrace.AlwaysSample())
	require.NoError(t, err)
	tracer := provider.Tracer("test")
	s.work = func() {
		_, span := tracer.Start(context.Background(), "work")
		span.End()
		s.ended++
	}
	return s
}

func (s *service) warn(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.warnings = append(s.warnings, text)
}

// told returns how many warnings there were.
func (s *service) told() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.warnings)
}

// workUntil makes spans until something has happened.
func (s *service) workUntil(happened func(telemetry.Exports) bool) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		for range 20 {
			s.work()
		}
		exports := s.telemetry.Exports()
		assert.LessOrEqual(s.t, exports.Waiting, int64(room), "what waits is bounded")
		return happened(exports)
	}, patience, poll)
}

// shutDown ends the telemetry, and checks that every span is accounted for.
func (s *service) shutDown(collector *failing) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	begin := time.Now()
	_ = s.telemetry.Shutdown(ctx) // What it could not export is in the counts.
	assert.Less(s.t, time.Since(begin), shutdownTimeout+grace, "a shutdown ends in time")
	// What is under way may end after the shutdown has been given up.
	require.EventuallyWithT(s.t, func(c *assert.CollectT) {
		e := s.telemetry.Exports()
		assert.Equal(c, s.ended, e.Exported+e.Failed+e.Dropped+e.Waiting, "%+v", e)
	}, patience, poll)
	// A span may be taken although the exporter does not learn of it, but not the other way round.
	assert.GreaterOrEqual(s.t, collector.taken.Load(), s.telemetry.Exports().Exported)
}

// What must hold when a collector goes away and comes back: every span that ended is exported
// or counted as failed, dropped or waiting; no more wait than there is room for; one warning
// says so; and when the collector is back, spans get there again without a person.
func TestCollectorGoesAndComesBack(t *testing.T) {
	collector := collect(t)
	s := serve(t)
	s.workUntil(func(e telemetry.Exports) bool { return e.Exported > 0 })
	collector.leave()
	s.workUntil(func(e telemetry.Exports) bool { return e.Failed > 0 && e.Dropped > 0 })
	before := s.telemetry.Exports().Exported
	collector.come(t)
	s.workUntil(func(e telemetry.Exports) bool { return e.Exported > before })
	s.shutDown(collector)
	assert.Equal(t, 2, s.told(), "%v", s.warnings) // That spans fail, and that they are dropped.
}

// The same must hold when it never comes back; and the shutdown ends in time.
func TestCollectorIsGone(t *testing.T) {
	collector := collect(t)
	s := serve(t)
	collector.leave()
	s.workUntil(func(e telemetry.Exports) bool { return e.Failed > 0 })
	s.shutDown(collector)
	assert.Zero(t, s.telemetry.Exports().Exported)
}

// The same must hold for a collector that takes requests and does not answer.
func TestCollectorHangs(t *testing.T) {
	collector := collect(t)
	collector.hanging.Store(true)
	s := serve(t)
	s.workUntil(func(e telemetry.Exports) bool { return e.Failed > 0 && e.Dropped > 0 })
	collector.hanging.Store(false)
	s.workUntil(func(e telemetry.Exports) bool { return e.Exported > 0 })
	collector.hanging.Store(true)
	for range room {
		s.work()
	}
	s.shutDown(collector)
}

// The same must hold for one that answers with errors: those that are final, and those after
// which the exporter tries again.
func TestCollectorAnswersWithErrors(t *testing.T) {
	for _, code := range []codes.Code{codes.InvalidArgument, codes.Unavailable, codes.ResourceExhausted} {
		t.Run(code.String(), func(t *testing.T) {
			collector := collect(t)
			collector.err.Store(status.New(code, "\x1b[2J no"))
			s := serve(t)
			s.workUntil(func(e telemetry.Exports) bool { return e.Failed > 0 })
			collector.err.Store(nil)
			s.workUntil(func(e telemetry.Exports) bool { return e.Exported > 0 })
			s.shutDown(collector)
			assert.NotContains(t, s.warnings[0], "\x1b")
		})
	}
}
