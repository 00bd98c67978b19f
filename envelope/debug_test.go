// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/handling"
)

// heard returns what OpenTelemetry's error handler is told from now on.
func heard(t *testing.T) func() []string {
	t.Helper()
	handling.ForgetReports()
	var mu sync.Mutex
	var all []string
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, err.Error())
	}))
	t.Cleanup(func() { otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {})) })
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

// here returns the file and the line of its caller, and so many lines on.
func here(on int) string {
	_, file, line, _ := runtime.Caller(1)
	return fmt.Sprintf("%s:%d: ", file, line+on)
}

// debugged calls body with the context of a traced message in debug mode, and with the one
// around the loop.
func debugged(t *testing.T, outer context.Context, body func(inner context.Context), opts ...envelope.ReceiveOption) {
	t.Helper()
	provider, _ := newProvider(t)
	opts = append(opts, envelope.WithTracerProvider(provider))
	for ctx := range envelope.Receive(outer, filled(t, sampledContext(t), order{1}), "loop", opts...) {
		body(ctx)
	}
	handle := envelope.Handler(outer, "handler", func(ctx context.Context, _ order) error {
		body(ctx)
		return nil
	}, opts...)
	require.NoError(t, handle(envelope.Wrap(sampledContext(t), order{1})))
}

func TestDebugReportsTheOuterContext(t *testing.T) {
	type key struct{}
	for name, outer := range map[string]context.Context{
		"no trace": context.WithValue(t.Context(), key{}, 1),
		"request":  trace.ContextWithSpanContext(t.Context(), spanContext(trace.FlagsSampled).WithSpanID(trace.SpanID{0xee})),
	} {
		t.Run(name, func(t *testing.T) {
			told := heard(t)
			ch := make(chan envelope.Envelope[order], 100)
			derived, cancel := context.WithCancel(outer)
			defer cancel()
			var places []string
			debugged(t, outer, func(context.Context) {
				for range 3 { // Each place is told of once.
					places = []string{here(1), here(2), here(3), here(4)}
					_ = envelope.Wrap(outer, order{2})
					_ = envelope.Send(derived, ch, order{2})
					_ = envelope.NewHeader(context.WithValue(outer, key{}, 2))
				}
			}, envelope.WithDebug())
			reports := told()
			require.Len(t, reports, 6, "three in the loop, and three in the handler, which is another mistake")
			for i, report := range reports {
				assert.Contains(t, report, places[i%3])
				assert.Contains(t, report, "a context from outside")
				assert.Contains(t, report, "debug_test.go")
			}
		})
	}
}

// TestDebugIsSilent has all that is no mistake, and every mistake without debug mode.
func TestDebugIsSilent(t *testing.T) {
	told := heard(t)
	outer, send := t.Context(), func(ctx context.Context) {
		_ = envelope.Wrap(ctx, order{2})
		_ = envelope.TrySend(ctx, make(chan envelope.Envelope[order], 1), order{2})
	}
	provider, _ := newProvider(t)
	untraced, traced := make(chan envelope.Envelope[order], 2), make(chan envelope.Envelope[order], 2)
	for range 2 {
		untraced <- envelope.Bare(order{2})
		traced <- envelope.Wrap(sampledContext(t), order{2})
	}
	debugged(t, outer, func(inner context.Context) {
		send(inner)
		child, span := provider.Tracer("test").Start(inner, "child")
		send(child)
		span.End()
		derived, cancel := context.WithCancel(inner)
		send(derived)
		cancel()
		send(envelope.Untraced(inner)) // On purpose.
		send(context.WithoutCancel(inner))
		other, span := provider.Tracer("test").Start(outer, "a trace of its own")
		send(other)
		span.End()

		done := make(chan struct{})
		go func() { // Another goroutine may do as it likes.
			defer close(done)
			send(outer)
		}()
		<-done
		for ctx := range envelope.Receive(inner, untraced, "untraced", envelope.WithDebug()) {
			send(ctx)
			break
		}
		for ctx := range envelope.Receive(inner, traced, "traced", envelope.WithDebug(), envelope.WithTracerProvider(provider)) {
			send(ctx)
			break
		}
		send(inner)
	}, envelope.WithDebug())
	send(outer) // After the loop.

	var kept context.Context
	debugged(t, outer, func(inner context.Context) {
		kept = inner
		send(outer)
	})
	send(kept)
	for ctx := range envelope.Receive(outer, filled(t, t.Context(), order{1}), "untraced", envelope.WithDebug()) {
		send(outer)
		kept = ctx
	}
	send(kept)
	assert.Empty(t, told())
}

func TestDebugReportsAContextAfterItsHandling(t *testing.T) {
	told := heard(t)
	var kept, untraced context.Context
	debugged(t, t.Context(), func(inner context.Context) {
		derived, cancel := context.WithCancel(inner)
		t.Cleanup(cancel)
		kept, untraced = derived, envelope.Untraced(inner)
		_ = envelope.Wrap(kept, order{2})
	}, envelope.WithDebug())
	require.Empty(t, told())
	_ = envelope.Wrap(untraced, order{2})
	require.Empty(t, told(), "nothing seems to come from the handling")
	place := here(2)
	for range 2 {
		_ = envelope.Wrap(kept, order{2})
	}
	require.Len(t, told(), 1)
	assert.Contains(t, told()[0], place)
	assert.Contains(t, told()[0], "that has ended")
	assert.Contains(t, told()[0], `"handler"`)

	// It may go on in another goroutine, and after a panic.
	assert.Equal(t, "out of stock", catch(func() {
		debugged(t, t.Context(), func(inner context.Context) {
			kept = inner
			panic("out of stock")
		}, envelope.WithDebug())
	}))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = envelope.NewHeader(kept)
	}()
	<-done
	assert.Len(t, told(), 2)
	_ = envelope.Wrap(t.Context(), order{2})
	assert.Len(t, told(), 2, "no handling is left behind on this goroutine")
}

func TestDebugReportsALateProvider(t *testing.T) {
	t.Cleanup(func() { otel.SetTracerProvider(noop.NewTracerProvider()) })
	otel.SetTracerProvider(noop.NewTracerProvider())
	told := heard(t)
	nothing := func(context.Context, order) error { return nil }
	e, bare := envelope.Wrap(sampledContext(t), order{1}), envelope.Bare(order{1})
	place := here(1)
	late := envelope.Handler(t.Context(), "late", nothing, envelope.WithDebug())
	early := envelope.Handler(t.Context(), "early", nothing, envelope.WithDebug())
	silent := envelope.Handler(t.Context(), "silent", nothing)
	require.NoError(t, errors.Join(late(e), silent(e), early(bare)))
	for range 2 {
		provider, _ := newProvider(t)
		otel.SetTracerProvider(provider)
		require.NoError(t, errors.Join(late(e), silent(e)))
	}
	require.NoError(t, early(e), "no span of it was lost")
	require.Len(t, told(), 1)
	assert.Contains(t, told()[0], place)
	assert.Contains(t, told()[0], "a tracer provider was set after")
	assert.Contains(t, told()[0], `"late"`)
}

// Debug mode costs an untraced message no allocation, even where it is on.
func TestDebugAllocatesNothingForUntracedMessages(t *testing.T) {
	handle := envelope.Handler(t.Context(), "h", func(_ context.Context, m order) error {
		sink += m.ID
		return nil
	}, envelope.WithDebug(), envelope.WithTracerProvider(noop.NewTracerProvider()))
	e := envelope.Bare(order{1})
	assert.Zero(t, testing.AllocsPerRun(200, func() { _ = handle(e) }))
}
