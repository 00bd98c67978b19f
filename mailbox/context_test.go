// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
)

func TestUntracedMessagesShareTheProcessesContext(t *testing.T) {
	rec := record(t)
	sys := rec.system()
	ref := spawn(t, sys, "worker", do)
	var seen []context.Context
	keep := func(ctx context.Context) error {
		seen = append(seen, ctx)
		return nil
	}
	for _, ctx := range []context.Context{
		t.Context(), trace.ContextWithSpanContext(t.Context(), unsampled), envelope.Untraced(t.Context()),
		context.WithValue(t.Context(), key{}, 1),
	} {
		require.NoError(t, ref.Send(ctx, keep))
	}
	_, err := call(context.Background(), ref, answering(keep))
	require.NoError(t, err)
	drain(t, sys)
	require.Len(t, seen, 5)
	for _, ctx := range seen {
		assert.Same(t, seen[0], ctx)
		assert.True(t, envelope.IsSentinel(trace.SpanContextFromContext(ctx)))
	}
	assert.Empty(t, rec.names())
}

// So do those whom a fan-out skipped, and all of an untraced one.
func TestSkippedRecipientsShareTheProcessesContext(t *testing.T) {
	rec := record(t)
	sys := rec.system()
	group := newGroup[job](t, sys, "workers",
		mailbox.WithSampling(sampling.GroupConfig{Curve: sampling.Always(), MaxSpans: 1}))
	own := make(map[context.Context]int) // How often which process's own context was seen.
	for range 5 {
		ref := spawn(t, sys, "worker", do)
		require.NoError(t, group.Join(ref))
		own[contextIn(t, context.Background(), ref)] = 0
	}
	require.Len(t, own, 5, "each has its own")
	sampled, root := rec.start()
	defer root.End()
	for _, ctx := range []context.Context{
		sampled, context.Background(), envelope.Untraced(context.Background()),
		trace.ContextWithSpanContext(context.Background(), unsampled),
	} {
		contexts := make(chan context.Context, 5)
		d := group.Broadcast(ctx, func(ctx context.Context) error {
			contexts <- ctx
			return nil
		})
		require.Equal(t, 5, d.Delivered)
		for range 5 {
			if ctx := await(t, contexts); !trace.SpanContextFromContext(ctx).IsSampled() {
				_, known := own[ctx] // Not assert.Contains, which would look into the process.
				assert.True(t, known, "another context, and an allocation")
				own[ctx]++
			}
		}
	}
	drain(t, sys)
	seen := 0
	for _, n := range own {
		seen += n
	}
	assert.Equal(t, 4+3*5, seen)
}

type derivation struct {
	name   string
	derive func(ctx context.Context) (context.Context, context.CancelFunc)
	// The standard library starts a goroutine for each.
	goroutine bool
}

// derivations are the ways to make a context from a handler's.
var derivations = []derivation{
	{"none", func(ctx context.Context) (context.Context, context.CancelFunc) { return ctx, func() {} }, false},
	{"WithCancel", context.WithCancel, false},
	{"WithCancelCause", func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancelCause(ctx)
		return ctx, func() { cancel(nil) }
	}, false},
	{"WithTimeout", func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithTimeout(ctx, time.Hour)
	}, false},
	{"WithCancel of WithValue", func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithCancel(context.WithValue(ctx, key{}, 1))
	}, true},
	{"WithCancel of a span", func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithCancel(trace.ContextWithSpanContext(ctx, trace.SpanContext{}))
	}, true},
	{"AfterFunc", func(ctx context.Context) (context.Context, context.CancelFunc) {
		after, cancel := context.WithCancel(context.Background())
		stop := context.AfterFunc(ctx, cancel)
		return after, func() { stop(); cancel() }
	}, false},
}

// A context made from a handler's ends with the process, and where that is made
// directly no goroutine waits for it.
func TestDerivedContextsEndWithTheProcess(t *testing.T) {
	for _, test := range derivations {
		t.Run(test.name, func(t *testing.T) {
			const many = 50
			sys := newSystem(t)
			ref := spawn(t, sys, "worker", do)
			derived := make(chan context.Context, many)
			var cancels []context.CancelFunc
			var before, after int
			require.NoError(t, ref.Send(t.Context(), func(ctx context.Context) error {
				before = runtime.NumGoroutine()
				for range many {
					d, cancel := test.derive(ctx)
					cancels = append(cancels, cancel)
					derived <- d
				}
				after = runtime.NumGoroutine()
				return nil
			}))
			pass(t, ref)
			assert.Equal(t, test.goroutine, after-before > many/2, "%d goroutines", after-before)
			first := <-derived
			require.NoError(t, first.Err(), "ended with the handling")
			ref.Kill()
			await(t, first.Done())
			assert.Equal(t, context.Canceled, first.Err())
			assert.Equal(t, context.Canceled, context.Cause(first))
			for range many - 1 {
				await(t, (<-derived).Done())
			}
			for _, cancel := range cancels {
				cancel()
			}
		})
	}
}

func TestContextDerivedAfterTheEndHasEnded(t *testing.T) {
	for _, early := range []bool{false, true} { // Was Done asked for before the end?
		sys := newSystem(t)
		kept := contextIn(t, t.Context(), spawn(t, sys, "worker", do))
		if early {
			_ = kept.Done()
		}
		drain(t, sys)
		require.Equal(t, context.Canceled, kept.Err())
		require.Equal(t, context.Canceled, context.Cause(kept))
		derived, cancel := context.WithCancel(kept)
		await(t, derived.Done())
		require.Equal(t, context.Canceled, derived.Err())
		cancel()
		await(t, kept.Done())
		require.Equal(t, context.Canceled, context.Cause(kept))
		called := make(chan struct{})
		context.AfterFunc(kept, func() { close(called) })
		await(t, called)
	}
}

// Err and Done agree, as the documentation of context.Context wants it: there
// is no moment with an error and an open Done.
func TestErrAndDoneAgreeAtTheEnd(t *testing.T) {
	for round := range 3000 {
		sys := newSystem(t)
		ref := spawn(t, sys, "worker", do)
		ctx := contextIn(t, t.Context(), ref)
		var early <-chan struct{} // Asked for before the end, in every other round.
		if round%2 == 0 {
			early = ctx.Done()
		}
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				for ctx.Err() == nil {
					runtime.Gosched()
				}
				done := early
				if done == nil {
					done = ctx.Done()
				}
				select {
				case <-done:
				default:
					assert.Fail(t, "an error, and not done")
				}
				assert.Equal(t, context.Canceled, context.Cause(ctx))
			})
		}
		ref.Kill()
		wg.Wait()
		await(t, ref.Done())
		if t.Failed() {
			return
		}
	}
}

func TestGoroutineLeftBehindKeepsItsTrace(t *testing.T) {
	rec := record(t)
	sys := rec.system()
	ref := spawn(t, sys, "worker", do)
	const messages = 20
	wanted := make(map[context.Context]trace.SpanContext) // by the contexts that handlers had
	for i := range messages {
		ctx, root := rec.start()
		if i%2 == 0 {
			wanted[contextIn(t, ctx, ref)] = root.SpanContext()
		} else { // Untraced ones in between.
			untraced := contextIn(t, context.Background(), ref)
			assert.True(t, envelope.IsSentinel(trace.SpanContextFromContext(untraced)))
		}
		root.End()
	}
	drain(t, sys)
	require.Len(t, wanted, messages/2)
	for ctx, root := range wanted { // Long after the handlers have returned.
		_, span := rec.tracer.Start(ctx, "left behind")
		span.End()
		require.Equal(t, root.TraceID(), span.SpanContext().TraceID())
	}
	handlings := make(map[trace.SpanID]trace.TraceID)
	for _, span := range rec.all("worker job") {
		handlings[span.SpanContext.SpanID()] = span.SpanContext.TraceID()
	}
	require.Len(t, handlings, messages/2)
	for _, span := range rec.all("left behind") {
		assert.Equal(t, handlings[span.Parent.SpanID()], span.SpanContext.TraceID())
	}
}
