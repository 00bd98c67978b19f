// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/envelope"
)

// filled is a closed channel that holds messages, each sent from ctx.
func filled(t testing.TB, ctx context.Context, messages ...order) chan envelope.Envelope[order] {
	t.Helper()
	ch := make(chan envelope.Envelope[order], len(messages))
	for _, m := range messages {
		require.NoError(t, envelope.Send(ctx, ch, m))
	}
	close(ch)
	return ch
}

func TestReceiveContinuesTheTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		provider, recorder := newProvider(t)
		ctx, sender := provider.Tracer("test").Start(withBaggage(t, t.Context(), "acme"), "sender")
		ch := filled(t, ctx, order{1})
		sender.End()
		time.Sleep(250 * time.Millisecond) // Of the bubble's clock, as below.
		begin := time.Now()

		receiver := withBaggage(t, sampledContext(t), "receiver")
		for ctx, m := range envelope.Receive(receiver, ch, "process orders", envelope.WithTracerProvider(provider)) {
			assert.Equal(t, order{1}, m)
			span := trace.SpanFromContext(ctx)
			assert.True(t, span.IsRecording())
			assert.Equal(t, sender.SpanContext().TraceID(), span.SpanContext().TraceID())
			assert.NotEqual(t, sender.SpanContext().SpanID(), span.SpanContext().SpanID())
			assert.Equal(t, "acme", baggage.FromContext(ctx).Member("customer").Value())
			time.Sleep(100 * time.Millisecond)
		}

		require.Len(t, recorder.Ended(), 2)
		s := recorder.Ended()[1]
		assert.Equal(t, "process orders", s.Name())
		assert.Equal(t, trace.SpanKindConsumer, s.SpanKind())
		assert.True(t, s.Parent().Equal(sender.SpanContext()), "a child of the sender's span, not of the receiver's")
		assert.Equal(t, []attribute.KeyValue{attribute.Float64("waybill.queue.duration", 0.25)}, s.Attributes())
		assert.True(t, s.StartTime().Equal(begin), "it does not contain the waiting")
		assert.Equal(t, 100*time.Millisecond, s.EndTime().Sub(s.StartTime()))
		assert.Equal(t, codes.Unset, s.Status().Code)
		assert.Empty(t, s.Events())
		assert.Equal(t, "github.com/waybill-go/waybill/envelope", s.InstrumentationScope().Name)
	})
}

func TestReceiveGivesEachMessageItsOwn(t *testing.T) {
	provider, recorder := newProvider(t)
	ch := make(chan envelope.Envelope[order], 3)
	first, one := provider.Tracer("test").Start(t.Context(), "one")
	third, three := provider.Tracer("test").Start(withBaggage(t, t.Context(), "third"), "three")
	require.NoError(t, envelope.Send(first, ch, order{1}))
	require.NoError(t, envelope.Send(t.Context(), ch, order{2}))
	require.NoError(t, envelope.Send(third, ch, order{3}))
	close(ch)

	var bags []string
	for ctx, m := range envelope.Receive(t.Context(), ch, "r", envelope.WithTracerProvider(provider)) {
		bags = append(bags, baggage.FromContext(ctx).Member("customer").Value())
		assert.Equal(t, m.ID == 2, envelope.IsSentinel(trace.SpanContextFromContext(ctx)))
	}

	assert.Equal(t, []string{"", "", "third"}, bags)
	require.Len(t, recorder.Ended(), 2)
	assert.Equal(t, one.SpanContext().SpanID(), recorder.Ended()[0].Parent().SpanID())
	assert.Equal(t, three.SpanContext().SpanID(), recorder.Ended()[1].Parent().SpanID())
}

// TestReceiveLeaksNothingIntoUntracedMessages ranges inside a recording span
// with baggage: an untraced message must see neither.
func TestReceiveLeaksNothingIntoUntracedMessages(t *testing.T) {
	provider, recorder := newProvider(t)
	type key struct{}
	ctx := context.WithValue(withBaggage(t, t.Context(), "receiver"), key{}, "mine")
	ctx, ambient := provider.Tracer("test").Start(ctx, "ambient")
	ch := make(chan envelope.Envelope[order], 3)
	require.NoError(t, envelope.Send(t.Context(), ch, order{1}))
	require.NoError(t, envelope.Send(unsampledContext(t), ch, order{2}))
	require.NoError(t, envelope.Send(withBaggage(t, unsampledContext(t), "sender"), ch, order{3}))
	close(ch)

	for ctx, m := range envelope.Receive(ctx, ch, "r", envelope.WithTracerProvider(provider)) {
		assert.True(t, envelope.IsSentinel(trace.SpanContextFromContext(ctx)))
		assert.False(t, trace.SpanFromContext(ctx).IsRecording())
		want := map[int]string{3: "sender"}[m.ID]
		assert.Equal(t, want, baggage.FromContext(ctx).Member("customer").Value())
		assert.Equal(t, "mine", ctx.Value(key{}))
	}
	assert.Empty(t, recorder.Ended(), "no span around an untraced message")
	ambient.End()
	assert.Equal(t, 0, recorder.Ended()[0].ChildSpanCount())
}

func TestReceiveKeepsTheTrueTraceID(t *testing.T) {
	provider, recorder := newProvider(t)
	ch := make(chan envelope.Envelope[order], 1)
	ch <- envelope.New(order{1}, envelope.CarryPolicy{Unsampled: true}.Header(unsampledContext(t)))
	close(ch)
	for ctx := range envelope.Receive(t.Context(), ch, "r", envelope.WithTracerProvider(provider)) {
		assert.True(t, trace.SpanContextFromContext(ctx).Equal(spanContext(0)))
		_, span := provider.Tracer("test").Start(ctx, "user")
		assert.False(t, span.IsRecording())
	}
	assert.Empty(t, recorder.Started())
}

func TestReceiveUntilClosedAndEmpty(t *testing.T) {
	ch := filled(t, t.Context(), order{1}, order{2}, order{3})
	var got []int
	for _, m := range envelope.Receive(t.Context(), ch, "r") {
		got = append(got, m.ID)
	}
	assert.Equal(t, []int{1, 2, 3}, got)
	for range envelope.Receive(t.Context(), ch, "r") {
		assert.Fail(t, "there is no message left")
	}
}

func TestReceiveEndsWithItsContext(t *testing.T) {
	t.Run("while waiting", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				for range envelope.Receive(ctx, make(chan envelope.Envelope[order]), "r") {
					assert.Fail(t, "there is no message")
				}
			}()
			synctest.Wait()
			select {
			case <-done:
				assert.Fail(t, "its context lasts")
			default:
			}
			cancel()
			<-done
		})
	})
	t.Run("although the channel is never empty", func(t *testing.T) {
		// If the end of the context did not go first, each next message would
		// come with probability 1/2: a hundred attempts leave 1 in 2^100.
		for range 100 {
			endAfterTheFirst(t)
		}
	})
}

func endAfterTheFirst(t *testing.T) {
	t.Helper()
	ch := filled(t, t.Context(), order{1}, order{2}, order{3})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got []int
	for ctx, m := range envelope.Receive(ctx, ch, "r") {
		got = append(got, m.ID)
		cancel()
		assert.ErrorIs(t, ctx.Err(), context.Canceled)
	}
	require.Equal(t, []int{1}, got)
	require.Len(t, ch, 2, "what is in the channel stays there")
}

// TestSpansFollowTheGlobalProvider makes everything before any provider is set, as a
// package-level variable is, and sets one after the other.
func TestSpansFollowTheGlobalProvider(t *testing.T) {
	t.Cleanup(func() { otel.SetTracerProvider(noop.NewTracerProvider()) })
	ch := make(chan envelope.Envelope[order])
	received := make(chan struct{})
	go func() {
		for range envelope.Receive(context.Background(), ch, "received") {
		}
		close(received)
	}()
	handle := envelope.Handler(t.Context(), "handled", func(context.Context, order) error { return nil })
	handleBatch := envelope.BatchHandler(t.Context(), "batch",
		func(context.Context, []envelope.Envelope[order]) error { return nil })
	for range 3 {
		provider, recorder := newProvider(t)
		otel.SetTracerProvider(provider)
		e := envelope.Wrap(sampledContext(t), order{1})
		require.NoError(t, errors.Join(handle(e), handleBatch([]envelope.Envelope[order]{e, e})))
		ch <- e
		ch <- envelope.Bare(order{2}) // The loop is done with the first one.
		var names []string
		for _, s := range recorder.Ended() {
			names = append(names, s.Name())
		}
		assert.Equal(t, []string{"handled", "batch", "received"}, names)
	}
	close(ch)
	<-received
}

func TestReceiveWithoutProvider(t *testing.T) {
	ch := filled(t, withBaggage(t, sampledContext(t), "acme"), order{1})
	for ctx := range envelope.Receive(t.Context(), ch, "r", envelope.WithTracerProvider(noop.NewTracerProvider())) {
		assert.True(t, trace.SpanContextFromContext(ctx).Equal(spanContext(trace.FlagsSampled)), "the trace goes on all the same")
		assert.Equal(t, "acme", baggage.FromContext(ctx).Member("customer").Value())
	}
}

// TestReceiveInManyGoroutines has several loops, half of them of one and the
// same Receive, share a channel: each message is handled once.
func TestReceiveInManyGoroutines(t *testing.T) {
	const messages, loops = 500, 4
	provider, recorder := newProvider(t)
	ch := make(chan envelope.Envelope[order])
	shared := envelope.Receive(t.Context(), ch, "r", envelope.WithTracerProvider(provider))
	var handled [messages]atomic.Int32
	var wg sync.WaitGroup
	for i := range loops {
		seq := shared
		if i%2 == 1 {
			seq = envelope.Receive(t.Context(), ch, "r", envelope.WithTracerProvider(provider))
		}
		wg.Go(func() {
			for ctx, m := range seq {
				handled[m.ID].Add(1)
				assert.Equal(t, m.ID%2 == 0, trace.SpanFromContext(ctx).IsRecording())
			}
		})
	}
	traced, untraced := sampledContext(t), t.Context()
	for i := range messages {
		ctx := traced
		if i%2 == 1 {
			ctx = untraced
		}
		require.NoError(t, envelope.Send(ctx, ch, order{i}))
	}
	close(ch)
	wg.Wait()
	for i := range handled {
		require.EqualValues(t, 1, handled[i].Load(), "message %d", i)
	}
	assert.Len(t, recorder.Ended(), messages/2)
}
