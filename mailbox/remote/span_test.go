// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/plugged"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
	"github.com/waybill-go/waybill/propagate"
)

// traced is two machines whose spans go to one place.
type traced struct {
	t           *testing.T
	server      *natstest.Server
	provider    *sdktrace.TracerProvider
	spans       *tracetest.InMemoryExporter
	here, there *machine
}

func newTraced(t *testing.T, opts ...remote.Option) *traced {
	t.Helper()
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.AlwaysSample())), sdktrace.WithSyncer(spans))
	t.Cleanup(func() { assert.NoError(t, provider.Shutdown(context.WithoutCancel(t.Context()))) })
	r := &traced{t: t, server: natstest.Start(t, natstest.Options{}), provider: provider, spans: spans}
	r.here, r.there = r.machine(opts...), r.machine(opts...)
	return r
}

func (r *traced) machine(opts ...remote.Option) *machine {
	return newMachineOf(r.t, r.server.Conn(r.t, quiet), []mailbox.SystemOption{mailbox.WithTracerProvider(r.provider)},
		append(opts, remote.WithTracerProvider(r.provider))...)
}

// start starts a root.
func (r *traced) start() (context.Context, trace.Span) {
	return r.provider.Tracer("test").Start(r.t.Context(), "root", trace.WithNewRoot())
}

// one waits for the only span called name.
func (r *traced) one(name string) tracetest.SpanStub {
	r.t.Helper()
	var found tracetest.SpanStubs
	eventually(r.t, func() bool {
		found = found[:0]
		for _, s := range r.spans.GetSpans() {
			if s.Name == name {
				found = append(found, s)
			}
		}
		return len(found) > 0
	}, name)
	require.Len(r.t, found, 1, name)
	return found[0]
}

func attributes(span tracetest.SpanStub) map[attribute.Key]any {
	all := make(map[attribute.Key]any)
	for _, a := range span.Attributes {
		all[a.Key] = a.Value.AsInterface()
	}
	return all
}

// A send makes no span of its own. Its handling is the child of the sender's span, and tells the
// way and the wait apart.
func TestSpanOfASend(t *testing.T) {
	r := newTraced(t)
	serve(t, r.there, "orders", orders(), shop())
	ref := refTo(t, r.here, "orders", orders())
	ctx, root := r.start()
	require.NoError(t, ref.Send(ctx, placeOrder{"lamp"}))
	root.End()
	handling := r.one("served placeOrder")
	assert.Equal(t, root.SpanContext().TraceID(), handling.SpanContext.TraceID())
	assert.Equal(t, root.SpanContext().SpanID(), handling.Parent.SpanID())
	assert.True(t, handling.Parent.IsRemote())
	assert.Equal(t, trace.SpanKindConsumer, handling.SpanKind)
	all := attributes(handling)
	assert.GreaterOrEqual(t, all["waybill.network.duration"], 0.0)
	assert.Equal(t, true, all["waybill.clocks.crossed"])
	assert.GreaterOrEqual(t, all["waybill.queue.duration"], 0.0)
	assert.Len(t, r.spans.GetSpans(), 2)
}

// A call has a span at each end: CLIENT for the caller, SERVER for its handling.
func TestSpansOfACall(t *testing.T) {
	r := newTraced(t)
	serve(t, r.there, "orders", orders(), shop())
	ref := refTo(t, r.here, "orders", orders())
	ctx, root := r.start()
	_, err := count(ctx, ref, "")
	require.NoError(t, err)
	root.End()
	client, server := r.one("call proxy countItems"), r.one("served countItems")
	assert.Equal(t, root.SpanContext().SpanID(), client.Parent.SpanID())
	assert.Equal(t, trace.SpanKindClient, client.SpanKind)
	assert.Equal(t, client.SpanContext.SpanID(), server.Parent.SpanID())
	assert.Equal(t, client.SpanContext.TraceID(), server.SpanContext.TraceID())
	assert.Equal(t, trace.SpanKindServer, server.SpanKind)
	assert.Equal(t, true, attributes(server)["waybill.clocks.crossed"])
	all := attributes(client)
	assert.Equal(t, "nats", all["messaging.system"])
	assert.Equal(t, "orders", all["messaging.destination.name"])
	assert.Equal(t, "send", all["messaging.operation.type"])
	assert.Equal(t, "127.0.0.1", all["server.address"])
	assert.NotZero(t, all["server.port"])
	assert.Equal(t, "proxy", all["waybill.process.kind"])
	assert.Equal(t, "countItems", all["waybill.message.type"])
	assert.Len(t, r.spans.GetSpans(), 3)
}

// What goes wrong is on both spans.
func TestSpansOfFailedCalls(t *testing.T) {
	r := newTraced(t)
	serve(t, r.there, "asks", asks(), func(context.Context, ask) error { return errors.New("no lamps") })
	ctx, root := r.start()
	_, err := asking(ctx, refTo(t, r.here, "asks", asks()), 0)
	require.ErrorContains(t, err, "no lamps")
	for _, name := range []string{"call proxy ask", "served ask"} {
		span := r.one(name)
		assert.Equal(t, codes.Error, span.Status.Code, name)
		assert.Contains(t, span.Status.Description, "no lamps")
	}
	r.spans.Reset()
	_, err = asking(ctx, refTo(t, r.here, "nobody", asks()), 0)
	require.ErrorIs(t, err, nats.ErrNoResponders)
	assert.Equal(t, codes.Error, r.one("call proxy ask").Status.Code)

	r.spans.Reset()
	h := newHeld()
	serve(t, r.there, "held", asks(), h.handle)
	timed, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	_, err = asking(timed, refTo(t, r.here, "held", asks()), 0)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Equal(t, codes.Error, r.one("call proxy ask").Status.Code)
	root.End()
}

// Without a trace there are no spans, and no headers.
func TestUntraced(t *testing.T) {
	r := newTraced(t)
	conn := r.server.Conn(t)
	seen := make(chan *nats.Msg, 10)
	_, err := conn.ChanSubscribe("asks", seen)
	require.NoError(t, err)
	require.NoError(t, conn.Flush())
	serve(t, r.there, "asks", asks(), func(_ context.Context, a ask) error {
		a.reply.Answer("")
		return nil
	})
	ref := refTo(t, r.here, "asks", asks())
	require.NoError(t, ref.Send(t.Context(), ask{}))
	assert.Nil(t, await(t, seen).Header)
	_, err = asking(t.Context(), ref, 0)
	require.NoError(t, err)
	call := await(t, seen)
	assert.Len(t, call.Header, 1)
	assert.NotEmpty(t, call.Header.Get("waybill-timeout"))
	eventually(t, func() bool { return r.there.node.Stats().Bare == 2 })

	unsampled := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2},
	}))
	require.NoError(t, ref.Send(unsampled, ask{}))
	assert.Nil(t, await(t, seen).Header)
	assert.Empty(t, r.spans.GetSpans())
}

// Baggage travels too, and to the messages that the handler sends.
func TestBaggage(t *testing.T) {
	r := newTraced(t)
	got := make(chan string, 1)
	serve(t, r.there, "text", text(), func(ctx context.Context, _ string) error {
		got <- baggage.FromContext(ctx).Member("tenant").Value()
		return nil
	})
	member, err := baggage.NewMemberRaw("tenant", "acme & sons")
	require.NoError(t, err)
	bag, err := baggage.New(member)
	require.NoError(t, err)
	ref := refTo(t, r.here, "text", text())
	require.NoError(t, ref.Send(baggage.ContextWithBaggage(t.Context(), bag), "hello"))
	assert.Equal(t, "acme & sons", await(t, got))
	ctx, root := r.start()
	require.NoError(t, ref.Send(baggage.ContextWithBaggage(ctx, bag), "hello"))
	assert.Equal(t, "acme & sons", await(t, got))
	root.End()
}

// A chain of messages between machines has one hop for each message.
func TestHops(t *testing.T) {
	r := newTraced(t)
	conn := r.server.Conn(t)
	seen := make(chan *nats.Msg, 10)
	_, err := conn.ChanSubscribe("*", seen)
	require.NoError(t, err)
	require.NoError(t, conn.Flush())
	second := refTo(t, r.there, "second", text())
	serve(t, r.there, "first", text(), second.Send)
	ctx, root := r.start()
	require.NoError(t, refTo(t, r.here, "first", text()).Send(ctx, "hello"))
	root.End()
	assert.True(t, strings.HasPrefix(await(t, seen).Header.Get("waybill-chain"), "h:1;"))
	assert.True(t, strings.HasPrefix(await(t, seen).Header.Get("waybill-chain"), "h:2;"))
}

// Behind a boundary, strangers have no say in traces.
func TestBoundary(t *testing.T) {
	boundary := propagate.Boundary{
		Policy: propagate.Link, Propagator: propagation.NewCompositeTextMapPropagator(propagate.TraceContext{}, propagate.Baggage{}),
	}
	r := newTraced(t, remote.WithBoundary(boundary))
	serve(t, r.there, "door", text(), func(ctx context.Context, _ string) error {
		_, span := r.provider.Tracer("test").Start(ctx, "work")
		span.End()
		return nil
	})
	ctx, root := r.start()
	require.NoError(t, refTo(t, r.here, "door", text()).Send(ctx, "hello"))
	root.End()
	handling := r.one("served string")
	assert.NotEqual(t, root.SpanContext().TraceID(), handling.SpanContext.TraceID())
	assert.False(t, handling.Parent.IsValid())
	require.Len(t, handling.Links, 1)
	assert.Equal(t, root.SpanContext().SpanID(), handling.Links[0].SpanContext.SpanID())
	work := r.one("work")
	assert.Equal(t, handling.SpanContext.SpanID(), work.Parent.SpanID())
	assert.Empty(t, work.Links)
}

// What is plugged into the SDK may panic: the call goes on.
func TestPluggedInPanics(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	ctx := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled,
	}))
	for name, provider := range plugged.Providers() {
		t.Run(name, func(t *testing.T) {
			here, there := newMachine(t, server, remote.WithTracerProvider(provider)), newMachine(t, server)
			serve(t, there, name, orders(), shop())
			_, err := count(ctx, refTo(t, here, name, orders()), "")
			require.NoError(t, err)
		})
	}
}
