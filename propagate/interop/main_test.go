// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	traceID   = "4bf92f3577b34da6a3ce929d0e0e4736"
	spanID    = "00f067aa0ba902b7"
	unsampled = "00-" + traceID + "-" + spanID + "-00"
	sampled   = "00-" + traceID + "-" + spanID + "-01"
	stale     = "00-11111111111111111111111111111111-2222222222222222-01"
)

// pair is one header as it goes over the wire.
type pair struct{ key, value string }

// leftovers are what a message holds before a sender writes to it. All are well
// formed, so that one that is not taken away arrives.
var leftovers = []pair{
	{"traceparent", stale}, {"tracestate", "stale=1"}, {"baggage", "stale=yes"},
	{"Traceparent", stale}, {"TraceState", "stale=2"}, {"BAGGAGE", "stale=no"},
}

// wire is a way from a sender to a receiver through a real library.
type wire struct {
	// send hands one message over with what ctx holds.
	send func(ctx context.Context, body string)
	// sendRaw hands one over with these headers and no others.
	sendRaw func(body string, headers ...pair)
	// once says that the library has room for one value a key.
	once bool
}

// arrival is what a receiver knows of a message.
type arrival struct {
	body string
	// span is the receiver's own, and parent that span's, if it is recorded.
	span, parent trace.SpanContext
	links        []trace.SpanContext
	bag          string
	// onward is what the receiver would pass on.
	onward propagation.MapCarrier
}

// site is a sender and a receiver with the same propagator and provider.
type site struct {
	propagator propagation.TextMapPropagator
	provider   trace.TracerProvider
	recorded   *tracetest.SpanRecorder
	arrivals   chan arrival
	// handle is what the receiver does with a message, if anything.
	handle func(ctx context.Context)
}

func newSite(t *testing.T, p propagation.TextMapPropagator) *site {
	t.Helper()
	s := &site{propagator: p, recorded: tracetest.NewSpanRecorder(), arrivals: make(chan arrival, 16)}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.AlwaysSample())),
		sdktrace.WithSpanProcessor(s.recorded),
	)
	t.Cleanup(func() { assert.NoError(t, provider.Shutdown(context.WithoutCancel(t.Context()))) })
	s.provider = provider
	return s
}

func (s *site) tracer() trace.Tracer { return s.provider.Tracer("interop") }

// arrive is called by a receiver with the context of its span.
func (s *site) arrive(ctx context.Context, body string) {
	a := arrival{body: body, bag: baggage.FromContext(ctx).String(), onward: propagation.MapCarrier{}}
	span := trace.SpanFromContext(ctx)
	a.span = span.SpanContext()
	if recorded, ok := span.(sdktrace.ReadOnlySpan); ok {
		a.parent = recorded.Parent()
		for _, link := range recorded.Links() {
			a.links = append(a.links, link.SpanContext)
		}
	}
	s.propagator.Inject(ctx, a.onward)
	if s.handle != nil {
		s.handle(ctx)
	}
	s.arrivals <- a
}

// next waits for a message to arrive.
func (s *site) next(t *testing.T) arrival {
	t.Helper()
	select {
	case a := <-s.arrivals:
		return a
	case <-time.After(time.Minute):
		require.FailNow(t, "nothing arrived")
		return arrival{}
	}
}

// sender returns the context of a sender whose own span is recorded, with a
// tracestate and baggage that came from far away.
func (s *site) sender(t *testing.T, parent, state, bag string) (context.Context, trace.Span) {
	t.Helper()
	ctx := propagation.TraceContext{}.Extract(t.Context(), propagation.MapCarrier{"traceparent": parent, "tracestate": state})
	require.True(t, trace.SpanContextFromContext(ctx).IsValid())
	members, err := baggage.Parse(bag)
	require.NoError(t, err)
	return s.tracer().Start(baggage.ContextWithBaggage(ctx, members), "send")
}

// isOurs reports whether a span that this site recorded has the ID.
func (s *site) isOurs(id trace.SpanID) bool {
	for _, span := range s.recorded.Started() {
		if span.SpanContext().SpanID() == id {
			return true
		}
	}
	return false
}
