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

// inHandler runs f with the handler's context of a message sent with ctx to a
// process of its own, and returns when the handler has.
func inHandler(t *testing.T, ctx context.Context, f func(ctx context.Context)) {
	t.Helper()
	sys := newSystem(t)
	ref := spawn(t, sys, "worker", do)
	require.NoError(t, ref.Send(ctx, func(ctx context.Context) error {
		f(ctx)
		return nil
	}))
	drain(t, sys)
}

func TestUntracedMessagesShareTheProcessesContext(t *testing.T) {
	rec := record(t)
	sys := rec.system()
	ref := spawn(t, sys, "worker", do)
	var seen []context.Context
	keep := func(ctx context.Context) error {
		seen = append(seen, ctx)
		return nil
	}
	unsampled := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2},
	}))
	type key struct{}
	for _, ctx := range []context.Context{
		t.Context(), unsampled, envelope.Untraced(t.Context()), context.WithValue(t.Context(), key{}, 1),
	} {
		require.NoError(t, ref.Send(ctx, keep))
	}
	_, err := mailbox.Call(context.Background(), ref, func(r mailbox.Reply[int]) job {
		return func(ctx context.Context) error {
			r.Answer(1)
			return keep(ctx)
		}
	})
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
		require.NoError(t, ref.Send(context.Background(), func(ctx context.Context) error {
			own[ctx] = 0
			return nil
		}))
		pass(t, ref)
	}
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

func TestProcessesHaveContextsOfTheirOwn(t *testing.T) {
	sys := newSystem(t)
	contexts := make(chan context.Context, 2)
	for range 2 {
		ref := spawn(t, sys, "worker", do)
		require.NoError(t, ref.Send(t.Context(), func(ctx context.Context) error {
			contexts <- ctx
			return nil
		}))
	}
	one, other := await(t, contexts), await(t, contexts)
	assert.NotSame(t, one, other)
	drain(t, sys)
}

func TestHandlersContextHasNoDeadline(t *testing.T) {
	inHandler(t, t.Context(), func(ctx context.Context) {
		_, has := ctx.Deadline()
		assert.False(t, has)
		assert.NoError(t, ctx.Err())
		assert.NoError(t, context.Cause(ctx))
	})
}

type derivation struct {
	name   string
	derive func(ctx context.Context) (context.Context, context.CancelFunc)
	// The standard library starts a goroutine for each.
	goroutine bool
}

// derivations are the ways to make a context from a handler's.
var derivations = []derivation{
	{"WithCancel", context.WithCancel, false},
	{"WithCancelCause", func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancelCause(ctx)
		return ctx, func() { cancel(nil) }
	}, false},
	{"WithTimeout", func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithTimeout(ctx, time.Hour)
	}, false},
	{"WithCancel of WithValue", func(ctx context.Context) (context.Context, context.CancelFunc) {
		type key struct{}
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
		var kept context.Context
		inHandler(t, t.Context(), func(ctx context.Context) {
			kept = ctx
			if early {
				_ = ctx.Done()
			}
		})
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

func TestStoppedAfterFuncIsNotCalled(t *testing.T) {
	var stop func() bool
	inHandler(t, t.Context(), func(ctx context.Context) {
		stop = context.AfterFunc(ctx, func() { assert.Fail(t, "called although stopped") })
		assert.True(t, stop())
	})
	assert.False(t, stop())
}

// Err and Done agree, as the documentation of context.Context wants it: there
// is no moment with an error and an open Done.
func TestErrAndDoneAgreeAtTheEnd(t *testing.T) {
	for round := range 3000 {
		sys := newSystem(t)
		ref := spawn(t, sys, "worker", do)
		contexts := make(chan context.Context, 1)
		require.NoError(t, ref.Send(t.Context(), func(ctx context.Context) error {
			contexts <- ctx
			return nil
		}))
		ctx := await(t, contexts)
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
	open := make(chan struct{})
	type sighting struct{ want, got trace.SpanContext }
	seen := make(chan sighting, messages)
	for i := range messages {
		ctx, root := rec.start()
		want := root.SpanContext()
		if i%2 == 1 { // Untraced ones in between.
			ctx, want = context.Background(), trace.SpanContext{}
		}
		require.NoError(t, ref.Send(ctx, func(ctx context.Context) error {
			go func() {
				<-open // Long after the handler has returned, and others have run.
				_, span := rec.tracer.Start(ctx, "left behind")
				span.End()
				seen <- sighting{want, trace.SpanContextFromContext(ctx)}
			}()
			return nil
		}))
		root.End()
	}
	drain(t, sys)
	close(open)
	for range messages {
		s := await(t, seen)
		if s.want.IsValid() {
			require.Equal(t, s.want.TraceID(), s.got.TraceID())
		} else {
			require.True(t, envelope.IsSentinel(s.got))
		}
	}
	require.Len(t, rec.all("left behind"), messages/2)
	handlings := make(map[trace.SpanID]trace.TraceID)
	for _, span := range rec.all("worker job") {
		handlings[span.SpanContext.SpanID()] = span.SpanContext.TraceID()
	}
	require.Len(t, handlings, messages/2)
	for _, span := range rec.all("left behind") {
		assert.Equal(t, handlings[span.Parent.SpanID()], span.SpanContext.TraceID())
	}
}
