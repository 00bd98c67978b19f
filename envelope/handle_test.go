// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
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
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/envelope"
)

// TestHandlerMakesTheSpanOfReceive handles the same envelope in a loop of
// Receive and with a Handler: the spans must be alike.
func TestHandlerMakesTheSpanOfReceive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		provider, recorder := newProvider(t)
		e := envelope.Wrap(withBaggage(t, sampledContext(t), "acme"), order{7})
		time.Sleep(250 * time.Millisecond) // Of the bubble's clock.
		body := func(ctx context.Context, m order) error {
			assert.Equal(t, order{7}, m)
			assert.Equal(t, "acme", baggage.FromContext(ctx).Member("customer").Value())
			assert.True(t, trace.SpanFromContext(ctx).IsRecording())
			return nil
		}

		ch := make(chan envelope.Envelope[order], 1)
		ch <- e
		close(ch)
		for ctx, m := range envelope.Receive(t.Context(), ch, "process orders", envelope.WithTracerProvider(provider)) {
			require.NoError(t, body(ctx, m))
		}
		handle := envelope.Handler(t.Context(), "process orders", body, envelope.WithTracerProvider(provider))
		require.NoError(t, handle(e))

		require.Len(t, recorder.Ended(), 2)
		received, handled := recorder.Ended()[0], recorder.Ended()[1]
		assert.Equal(t, received.Name(), handled.Name())
		assert.Equal(t, received.SpanKind(), handled.SpanKind())
		assert.Equal(t, received.Parent(), handled.Parent())
		assert.Equal(t, received.Attributes(), handled.Attributes())
		assert.Equal(t, received.StartTime(), handled.StartTime())
		assert.Equal(t, received.EndTime(), handled.EndTime())
		assert.Equal(t, received.InstrumentationScope(), handled.InstrumentationScope())
		assert.Equal(t, []attribute.KeyValue{attribute.Float64("waybill.queue.duration", 0.25)}, handled.Attributes())
		assert.Equal(t, sdktrace.Status{Code: codes.Unset}, handled.Status())
	})
}

// TestWaitingForRoomCounts has a sender wait for a second until there is room.
func TestWaitingForRoomCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		provider, recorder := newProvider(t)
		ch := make(chan envelope.Envelope[order])
		go func() { assert.NoError(t, envelope.Send(sampledContext(t), ch, order{1})) }()
		go func() {
			select {
			case ch <- envelope.Wrap(sampledContext(t), order{2}):
			case <-t.Context().Done():
			}
		}()
		time.Sleep(time.Second) // Of the bubble's clock.
		handle := envelope.Handler(t.Context(), "h", func(context.Context, order) error { return nil },
			envelope.WithTracerProvider(provider))
		require.NoError(t, errors.Join(handle(<-ch), handle(<-ch)))
		for _, s := range recorder.Ended() {
			assert.Equal(t, []attribute.KeyValue{attribute.Float64("waybill.queue.duration", 1)}, s.Attributes())
		}
		assert.Len(t, recorder.Ended(), 2)
	})
}

func TestHandlerLeaksNothingIntoUntracedMessages(t *testing.T) {
	provider, recorder := newProvider(t)
	type key struct{}
	ctx := context.WithValue(withBaggage(t, sampledContext(t), "receiver"), key{}, "mine")
	ctx, cancel := context.WithCancel(ctx)
	calls := 0
	handle := envelope.Handler(ctx, "h", func(ctx context.Context, m order) error {
		calls++
		assert.True(t, envelope.IsSentinel(trace.SpanContextFromContext(ctx)))
		assert.Zero(t, baggage.FromContext(ctx).Len())
		assert.Equal(t, "mine", ctx.Value(key{}))
		return ctx.Err()
	}, envelope.WithTracerProvider(provider))

	require.NoError(t, handle(envelope.Bare(order{1})))
	require.NoError(t, handle(envelope.Wrap(unsampledContext(t), order{2})))
	cancel()
	require.ErrorIs(t, handle(envelope.Bare(order{3})), context.Canceled, "it is handled all the same")
	assert.Equal(t, 3, calls)
	assert.Empty(t, recorder.Started())
}

func TestHandlerRecordsItsError(t *testing.T) {
	provider, recorder := newProvider(t)
	want := errors.New("out of stock")
	handle := envelope.Handler(t.Context(), "h", func(_ context.Context, m order) error {
		if m.ID == 0 {
			return nil
		}
		return want
	}, envelope.WithTracerProvider(provider))

	assert.Same(t, want, handle(envelope.Wrap(sampledContext(t), order{1})))
	assert.Same(t, want, handle(envelope.Bare(order{1})), "an untraced one's too")
	require.NoError(t, handle(envelope.Wrap(sampledContext(t), order{0})))

	require.Len(t, recorder.Ended(), 2)
	failed, fine := recorder.Ended()[0], recorder.Ended()[1]
	assert.Equal(t, sdktrace.Status{Code: codes.Error, Description: "out of stock"}, failed.Status())
	assert.Equal(t, "out of stock", exception(t, failed)["exception.message"].AsString())
	assert.Equal(t, codes.Unset, fine.Status().Code)
	assert.Empty(t, fine.Events())
}

func TestHandlerEndsItsSpan(t *testing.T) {
	for name, test := range map[string]struct {
		end  func()
		want codes.Code
	}{
		"panic":  {func() { panic("out of stock") }, codes.Error},
		"Goexit": {runtime.Goexit, codes.Unset},
	} {
		t.Run(name, func(t *testing.T) {
			provider, recorder := newProvider(t)
			handle := envelope.Handler(t.Context(), "h", func(context.Context, order) error {
				test.end()
				return errors.New("it does not return")
			}, envelope.WithTracerProvider(provider))
			recovered := make(chan any)
			go func() {
				defer func() { recovered <- recover() }()
				_ = handle(envelope.Wrap(sampledContext(t), order{1}))
			}()
			assert.Equal(t, test.want == codes.Error, <-recovered != nil, "a panic goes on")
			require.Len(t, recorder.Ended(), 1)
			assert.Equal(t, test.want, recorder.Ended()[0].Status().Code)
			if test.want == codes.Error {
				assert.Contains(t, exception(t, recorder.Ended()[0])["exception.stacktrace"].AsString(), "TestHandlerEndsItsSpan")
			}
		})
	}
}

// TestHandlerWhilePanicking handles a message in a function that a panic calls:
// the panic is not the handling's.
func TestHandlerWhilePanicking(t *testing.T) {
	provider, recorder := newProvider(t)
	handle := envelope.Handler(t.Context(), "h", func(context.Context, order) error { return nil },
		envelope.WithTracerProvider(provider))
	assert.Equal(t, "out of stock", catch(func() {
		defer func() { assert.NoError(t, handle(envelope.Wrap(sampledContext(t), order{1}))) }()
		panic("out of stock")
	}))
	requireEndedWell(t, recorder)
}

// TestHandlerInManyGoroutines has several goroutines share a handler.
func TestHandlerInManyGoroutines(t *testing.T) {
	const messages, workers = 500, 4
	provider, recorder := newProvider(t)
	var handled [messages]atomic.Int32
	handle := envelope.Handler(t.Context(), "h", func(ctx context.Context, m order) error {
		handled[m.ID].Add(1)
		assert.Equal(t, m.ID%2 == 0, trace.SpanFromContext(ctx).IsRecording())
		return nil
	}, envelope.WithTracerProvider(provider))
	ch := make(chan envelope.Envelope[order])
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for e := range ch {
				assert.NoError(t, handle(e))
			}
		})
	}
	traced := sampledContext(t)
	for i := range messages {
		if i%2 == 0 {
			ch <- envelope.Wrap(traced, order{i})
		} else {
			ch <- envelope.Bare(order{i})
		}
	}
	close(ch)
	wg.Wait()
	for i := range handled {
		require.EqualValues(t, 1, handled[i].Load(), "message %d", i)
	}
	assert.Len(t, recorder.Ended(), messages/2)
}

func TestUntracedHandlersAllocateNothing(t *testing.T) {
	noopProvider := envelope.WithTracerProvider(noop.NewTracerProvider())
	failed := errors.New("out of stock")
	handle := envelope.Handler(t.Context(), "h", func(_ context.Context, m order) error {
		sink += m.ID
		return failed
	}, noopProvider)
	handleBatch := envelope.BatchHandler(t.Context(), "h", func(_ context.Context, batch []envelope.Envelope[order]) error {
		sink += len(batch)
		return failed
	}, noopProvider)
	for name, ctx := range untracedContexts(t) {
		e := envelope.Wrap(ctx, order{1})
		batch := make([]envelope.Envelope[order], 100)
		for i := range batch {
			batch[i] = e
		}
		assert.Zero(t, testing.AllocsPerRun(200, func() { _ = handle(e) }), name)
		assert.Zero(t, testing.AllocsPerRun(200, func() { _ = handleBatch(batch) }), name)

		// Negative control: traced messages do allocate.
		batch[99] = envelope.Wrap(sampledContext(t), order{1})
		assert.NotZero(t, testing.AllocsPerRun(200, func() { _ = handle(batch[99]) }))
		assert.NotZero(t, testing.AllocsPerRun(200, func() { _ = handleBatch(batch) }))
	}
}

// Nobody learns with the first message that there is no handle.
func TestHandlersWithoutAHandle(t *testing.T) {
	assert.PanicsWithValue(t, "envelope: Handler without a handle", func() {
		envelope.Handler[order](t.Context(), "h", nil)
	})
	assert.PanicsWithValue(t, "envelope: BatchHandler without a handle", func() {
		envelope.BatchHandler[order](t.Context(), "b", nil)
	})
}
