// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope_test

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/header"
)

type orders = []envelope.Envelope[order]

// senderContext is that of a sampled sender, the n-th of as many traces.
func senderContext(t testing.TB, n int) context.Context {
	t.Helper()
	config := trace.SpanContextConfig{TraceFlags: trace.FlagsSampled}
	binary.BigEndian.PutUint64(config.TraceID[:], uint64(n)+1)
	binary.BigEndian.PutUint64(config.SpanID[:], uint64(n)+1)
	return trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(config))
}

// linkedTo is the number of the sender of each link of s, each of which must
// say what it is about.
func linkedTo(t *testing.T, s sdktrace.ReadOnlySpan) []int {
	t.Helper()
	var senders []int
	for _, link := range s.Links() {
		traceID, spanID := link.SpanContext.TraceID(), link.SpanContext.SpanID()
		assert.Equal(t, traceID[:8], spanID[:])
		assert.True(t, link.SpanContext.IsSampled())
		assert.Equal(t, []attribute.KeyValue{attribute.String("waybill.link.reason", "batch")}, link.Attributes)
		senders = append(senders, int(binary.BigEndian.Uint64(spanID[:]))-1)
	}
	return senders
}

// handleOrders handles batch in a new provider, and returns what was recorded
// and the context that its handler got.
func handleOrders(
	t *testing.T, ctx context.Context, batch orders, opts ...sdktrace.TracerProviderOption,
) ([]sdktrace.ReadOnlySpan, context.Context) {
	t.Helper()
	provider, recorder := newProvider(t, opts...)
	var handlers context.Context
	handle := envelope.BatchHandler(ctx, "ship orders", func(ctx context.Context, got orders) error {
		assert.Nil(t, handlers, "it is called once")
		handlers = ctx
		assert.Equal(t, batch, got)
		return nil
	}, envelope.WithTracerProvider(provider))
	require.NoError(t, handle(batch))
	require.NotNil(t, handlers)
	assert.Len(t, recorder.Ended(), len(recorder.Started()))
	return recorder.Ended(), handlers
}

func TestBatchLinksToEachSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		batch := append(untracedOrders(t), envelope.Bare(order{0}))
		second := envelope.Wrap(senderContext(t, 2), order{2}) // The first to be sent.
		time.Sleep(time.Second)                                // Of the bubble's clock.
		batch = append(batch, envelope.Wrap(senderContext(t, 1), order{3}), second, envelope.Wrap(senderContext(t, 3), order{4}))
		time.Sleep(250 * time.Millisecond)

		ended, _ := handleOrders(t, sampledContext(t), batch)
		require.Len(t, ended, 1)
		s := ended[0]
		assert.Equal(t, "ship orders", s.Name())
		assert.Equal(t, trace.SpanKindConsumer, s.SpanKind())
		assert.True(t, s.Parent().Equal(trace.SpanContextFromContext(senderContext(t, 1))), "of the first in the batch")
		assert.Equal(t, []int{1, 2, 3}, linkedTo(t, s))
		assert.ElementsMatch(t, []attribute.KeyValue{
			attribute.Int("waybill.batch.size", 7),
			attribute.Float64("waybill.queue.duration", 1.25),
		}, s.Attributes())
		assert.Equal(t, "github.com/waybill-go/waybill/envelope", s.InstrumentationScope().Name)
		assert.Equal(t, codes.Unset, s.Status().Code)
		assert.True(t, s.StartTime().Equal(time.Now()), "it does not contain the waiting")
	})
}

// untracedOrders have headers, but no sampled trace.
func untracedOrders(t *testing.T) orders {
	t.Helper()
	keep := envelope.CarryPolicy{Unsampled: true}
	return orders{
		envelope.New(order{1}, keep.Header(unsampledContext(t))),
		with(order{2}, header.CarryPolicy{}.Header(sampledContext(t)).Skip(true)),
		envelope.Wrap(withBaggage(t, t.Context(), "acme"), order{3}),
	}
}

func TestBatchHandlersContext(t *testing.T) {
	type key struct{}
	receiver := context.WithValue(withBaggage(t, sampledContext(t), "receiver"), key{}, "mine")
	traced := orders{
		envelope.Wrap(withBaggage(t, senderContext(t, 1), "first"), order{1}),
		envelope.Wrap(withBaggage(t, senderContext(t, 2), "second"), order{2}),
	}
	ended, ctx := handleOrders(t, receiver, traced)
	require.Len(t, ended, 1)
	assert.Equal(t, ended[0].SpanContext(), trace.SpanContextFromContext(ctx))
	assert.Zero(t, baggage.FromContext(ctx).Len(), "whose would it be?")
	assert.Equal(t, "first", traced[0].Header().Baggage().Member("customer").Value(), "the message keeps its own")
	assert.Equal(t, "mine", ctx.Value(key{}))
	assert.Equal(t, 2, header.CarryPolicy{}.Header(ctx).Hops(), "what is sent from it counts on")

	for name, batch := range map[string]orders{
		"untraced": untracedOrders(t),
		"empty":    {},
		"nil":      nil,
	} {
		ended, ctx := handleOrders(t, receiver, batch)
		assert.Empty(t, ended, name)
		assert.True(t, envelope.IsSentinel(trace.SpanContextFromContext(ctx)), name)
		assert.Zero(t, baggage.FromContext(ctx).Len(), name)
		assert.Equal(t, "mine", ctx.Value(key{}), name)
	}
}

// TestBatchContinuesWhereNoTraceMayBegin uses the sampler of a service that is
// no entry point, which would drop a root.
func TestBatchContinuesWhereNoTraceMayBegin(t *testing.T) {
	never := sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.NeverSample()))
	ended, _ := handleOrders(t, t.Context(), orders{envelope.Wrap(senderContext(t, 1), order{1})}, never)
	require.Len(t, ended, 1)
	assert.True(t, ended[0].SpanContext().IsSampled())
}

func TestBatchLinksEachSpanOnce(t *testing.T) {
	shared := envelope.NewHeader(senderContext(t, 1))
	batch := orders{
		envelope.New(order{1}, shared),
		envelope.Wrap(senderContext(t, 2), order{2}),
		envelope.New(order{3}, shared),
		envelope.Wrap(senderContext(t, 1), order{4}),
	}
	// Another span of a trace that is there, and a span of that ID in another.
	sc := shared.SpanContext()
	sibling := sc.WithSpanID(trace.SpanID{9})
	batch = append(batch,
		with(order{5}, inner(shared).WithSpanContext(sibling)),
		with(order{6}, inner(shared).WithSpanContext(sibling.WithTraceID(trace.TraceID{9}))))
	ended, _ := handleOrders(t, t.Context(), batch)
	require.Len(t, ended, 1)
	assert.Len(t, ended[0].Links(), 4)
	assert.NotContains(t, attributeKeys(ended[0]), attribute.Key("waybill.batch.unlinked"))
}

func attributeKeys(s sdktrace.ReadOnlySpan) []attribute.Key {
	var keys []attribute.Key
	for _, kv := range s.Attributes() {
		keys = append(keys, kv.Key)
	}
	return keys
}

// TestBatchBoundsItsLinks fills a batch with one sender fewer than the links of
// a span, as many, and more, each of which sent twice.
func TestBatchBoundsItsLinks(t *testing.T) {
	for senders, unlinked := range map[int]int{127: 0, 128: 0, 129: 2, 1000: 1744} {
		var batch orders
		for range 2 {
			for n := range senders {
				batch = append(batch, envelope.Wrap(senderContext(t, n), order{n}))
			}
		}
		ended, _ := handleOrders(t, t.Context(), batch)
		require.Len(t, ended, 1)
		s := ended[0]
		assert.Zero(t, s.DroppedLinks(), "the SDK dropped none")
		var want []int
		for n := range min(senders, 128) {
			want = append(want, n)
		}
		assert.Equal(t, want, linkedTo(t, s), "the first that came")
		assert.Contains(t, s.Attributes(), attribute.Int("waybill.batch.size", 2*senders))
		if unlinked == 0 {
			assert.NotContains(t, attributeKeys(s), attribute.Key("waybill.batch.unlinked"))
		} else {
			assert.Contains(t, s.Attributes(), attribute.Int("waybill.batch.unlinked", unlinked))
		}
	}
}

func TestBatchRecordsErrorsAndPanics(t *testing.T) {
	provider, recorder := newProvider(t)
	failed := errors.New("out of stock")
	handle := envelope.BatchHandler(t.Context(), "h", func(_ context.Context, batch orders) error {
		if len(batch) > 1 {
			panic(failed)
		}
		return failed
	}, envelope.WithTracerProvider(provider))
	traced := envelope.Wrap(sampledContext(t), order{1})
	assert.Same(t, failed, handle(orders{traced}))
	assert.Same(t, failed, handle(orders{envelope.Bare(order{1})}))
	assert.Same(t, failed, catch(func() { _ = handle(orders{traced, traced}) }))

	require.Len(t, recorder.Ended(), 2)
	for i, description := range []string{"out of stock", "panic: out of stock"} {
		s := recorder.Ended()[i]
		assert.Equal(t, sdktrace.Status{Code: codes.Error, Description: description}, s.Status())
		assert.Equal(t, "out of stock", exception(t, s)["exception.message"].AsString())
	}
}

// TestBatchedMessagesOnTheirOwn opens each message of a batch in a span of its
// own, which is below its sender's and not below the batch's.
func TestBatchedMessagesOnTheirOwn(t *testing.T) {
	provider, recorder := newProvider(t)
	option := envelope.WithTracerProvider(provider)
	ship := envelope.Handler(t.Context(), "ship order", func(context.Context, order) error { return nil }, option)
	shipAll := envelope.BatchHandler(t.Context(), "ship orders", func(_ context.Context, batch orders) error {
		var err error
		for _, e := range batch {
			err = errors.Join(err, ship(e))
		}
		return err
	}, option)
	require.NoError(t, shipAll(orders{
		envelope.Wrap(senderContext(t, 1), order{1}),
		envelope.Bare(order{2}),
		envelope.Wrap(senderContext(t, 3), order{3}),
	}))
	require.Len(t, recorder.Ended(), 3)
	for i, sender := range []int{1, 3, 1} { // The batch ended last.
		want := trace.SpanContextFromContext(senderContext(t, sender))
		assert.True(t, recorder.Ended()[i].Parent().Equal(want))
	}
	assert.Equal(t, "ship orders", recorder.Ended()[2].Name())
}
