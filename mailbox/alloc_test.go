// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
)

// unsampled is a span context of a trace that somebody decided not to sample.
var unsampled = trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})

// spawnBusy spawns a process whose handler is held and whose mailbox has room for
// n messages without growing.
func spawnBusy(t *testing.T, sys *mailbox.System, n int, opts ...mailbox.KindOption) (ref mailbox.Ref[job], release func()) {
	t.Helper()
	ref = spawn(t, sys, "worker", do, opts...)
	releaseFirst := keepBusy(t, ref)
	sendAll(t, ref, nothings(n)...)
	second, entered, release := hold()
	sendAll(t, ref, second)
	releaseFirst()
	await(t, entered)
	return ref, release
}

func TestUntracedSendAllocatesNothing(t *testing.T) {
	cancellable, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, test := range []struct {
		name string
		ctx  context.Context
		opts []mailbox.KindOption
	}{
		{"no trace", context.Background(), nil},
		{"unsampled trace", trace.ContextWithSpanContext(context.Background(), unsampled), nil},
		{"cancellable", cancellable, nil},
		{"from a handler", nil, nil},
		{"from a handler to an entry point", nil, []mailbox.KindOption{mailbox.WithRootSpans()}},
	} {
		t.Run(test.name, func(t *testing.T) {
			const runs = 500
			sys := newSystem(t)
			ref, release := spawnBusy(t, sys, runs+1, test.opts...)
			if test.ctx == nil {
				test.ctx = contextIn(t, t.Context(), spawn(t, newSystem(t), "sender", do))
			}
			var err error
			allocs := testing.AllocsPerRun(runs, func() { err = ref.Send(test.ctx, nothing) })
			release()
			require.NoError(t, err)
			drain(t, sys)
			assert.Zero(t, allocs)
			assert.EqualValues(t, 2*(runs+1)+2, sys.Stats().Handled)
		})
	}
}

// The room for messages that wait is used again and again, by whichever process of the kind
// needs it next. So nothing is allocated when a burst comes to one that has been idle.
func TestBurstsToAnIdleProcessAllocateNothing(t *testing.T) {
	const burst = 12 // More than the room that an idle process keeps.
	sys := newSystem(t)
	ref := spawn(t, sys, "worker", do)
	entered, leave := make(chan struct{}), make(chan struct{})
	first := job(func(context.Context) error {
		entered <- struct{}{}
		<-leave
		return nil
	})
	last := job(func(context.Context) error {
		entered <- struct{}{}
		return nil
	})
	allocs := testing.AllocsPerRun(500, func() {
		_ = ref.Send(context.Background(), first)
		<-entered
		for range burst - 2 {
			_ = ref.Send(context.Background(), nothing)
		}
		_ = ref.Send(context.Background(), last)
		leave <- struct{}{}
		<-entered
		runtime.Gosched() // Most often, its room is given back before the next burst.
	})
	drain(t, sys)
	assert.Less(t, allocs, 2.0, "the room of a burst takes four, and the runtime may drop what is pooled")
}

// To send to an idle process, and to handle the message there, costs the
// start of a goroutine and nothing else.
func TestUntracedSendToAnIdleProcess(t *testing.T) {
	sys := newSystem(t)
	handled := make(chan struct{})
	j := job(func(context.Context) error {
		handled <- struct{}{}
		return nil
	})
	ref := spawn(t, sys, "worker", do)
	allocs := testing.AllocsPerRun(500, func() {
		_ = ref.Send(context.Background(), j)
		<-handled
	})
	drain(t, sys)
	assert.LessOrEqual(t, allocs, 1.0)
}

// A skipped recipient of a traced broadcast, and any of an untraced one, costs
// no allocation: a broadcast to ten times as many allocates as much.
func TestBroadcastAllocatesNothingForTheSkipped(t *testing.T) {
	const few, many = 30, 300
	for _, traced := range []bool{false, true} {
		t.Run(fmt.Sprintf("traced %v", traced), func(t *testing.T) {
			rec := record(t)
			measure := func(members int) float64 {
				sys := rec.system()
				group := newGroup[job](t, sys, "workers", mailbox.WithSampling(sampling.GroupConfig{MaxSpans: 1}))
				releases := make([]func(), members)
				for i := range members {
					// Always full, and the message dropped is one that was skipped, mostly.
					ref, release := spawnBusy(t, sys, 4, mailbox.WithCapacity(5), mailbox.WithOverflow(mailbox.DropOldest))
					releases[i] = release
					require.NoError(t, group.Join(ref))
				}
				ctx := context.Background()
				if traced {
					var root trace.Span
					ctx, root = rec.start()
					defer root.End()
				}
				var d mailbox.Delivery
				allocs := testing.AllocsPerRun(50, func() { d = group.Broadcast(ctx, nothing) })
				for _, release := range releases {
					release()
				}
				drain(t, sys)
				require.Equal(t, members, d.Delivered)
				return allocs
			}
			small, large := measure(few), measure(many)
			t.Logf("%v allocations to %d, %v to %d", small, few, large, many)
			if traced {
				assert.Positive(t, small)
				assert.Less(t, large-small, (many-few)/10.0)
			} else {
				assert.Zero(t, large)
			}
		})
	}
}

func TestIdleProcessHoldsNoGoroutine(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const many = 1000 // Far above the number of workers.
		sys := newSystem(t)
		before, idle := runtime.NumGoroutine(), allStacks()
		refs := make([]mailbox.Ref[job], many)
		for i := range refs {
			refs[i] = spawn(t, sys, "worker", do)
		}
		assert.Less(t, runtime.NumGoroutine()-before, many/10)
		for _, ref := range refs {
			sendAll(t, ref, nothings(10)...)
		}
		settle()
		require.EqualValues(t, 10*many, sys.Stats().Handled)
		assert.Less(t, runtime.NumGoroutine()-before, many/10)
		time.Sleep(10 * time.Second) // After a while the system holds none either.
		settle()
		left := allStacks()
		for i := 0; left > idle && i < 100; i++ { // One that is exiting shows for a moment.
			runtime.Gosched()
			left = allStacks()
		}
		assert.LessOrEqual(t, left, idle) // Those of earlier tests may have ended.
		drain(t, sys)
	})
}

// allStacks counts goroutines by their stacks: what runtime.NumGoroutine says may be
// one too many for a while.
func allStacks() int {
	stacks := make([]byte, 1<<20)
	return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "\n\ngoroutine ")
}
