// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

// uses are what handlers do with their contexts.
var uses = append([]derivation{
	{name: "Done", derive: func(ctx context.Context) (context.Context, context.CancelFunc) {
		return ctx, func() { _ = ctx.Done() }
	}},
}, derivations...)

// What is left of a handler is told of its process's end, however little of the
// context it has kept, and however long ago.
func TestWhoKeepsOnlyTheChannelHearsOfTheEnd(t *testing.T) {
	for _, use := range uses {
		t.Run(use.name, func(t *testing.T) {
			sys := newSystem(t)
			ref := spawn(t, sys, "worker", do)
			channels := make(chan (<-chan struct{}), 1)
			require.NoError(t, ref.Send(t.Context(), func(ctx context.Context) error {
				derived, _ := use.derive(ctx)
				channels <- derived.Done()
				return nil
			}))
			done := await(t, channels)
			pass(t, ref)
			for range 3 {
				runtime.GC()
			}
			select {
			case <-done:
				require.Fail(t, "ended with the handling")
			default:
			}
			ref.Kill()
			await(t, done)
			drain(t, sys)
		})
	}
}

// While somebody holds the channel, all who ask get the same one.
func TestTheChannelIsTheSameWhileItIsHeld(t *testing.T) {
	sys := newSystem(t)
	ref := spawn(t, sys, "worker", do)
	channels := make(chan (<-chan struct{}), 1)
	ask := func(ctx context.Context) error {
		channels <- ctx.Done()
		return nil
	}
	require.NoError(t, ref.Send(t.Context(), ask))
	first := await(t, channels)
	runtime.GC()
	require.NoError(t, ref.Send(t.Context(), ask))
	assert.Equal(t, first, await(t, channels))
	drain(t, sys)
}

// Nobody needs to stop a function for what it holds to go with its process.
func TestDeadProcessKeepsNoFunction(t *testing.T) {
	sys := newSystem(t)
	ref := spawn(t, sys, "worker", do)
	kept := func() weak.Pointer[cargo] {
		c := new(cargo)
		require.NoError(t, ref.Send(t.Context(), func(ctx context.Context) error {
			context.AfterFunc(ctx, func() { runtime.KeepAlive(c) })
			return nil
		}))
		pass(t, ref)
		return weak.Make(c)
	}()
	assert.False(t, collected(kept), "the control")
	require.NoError(t, ref.Stop(t.Context()))
	assert.True(t, collected(kept))
	runtime.KeepAlive(ref)
}

// A handler that keeps the channel for itself, and whatever else it is made of,
// goes with its process; and with its system, although nobody ended that.
func TestHandlerMayKeepTheChannel(t *testing.T) {
	for _, end := range []bool{true, false} {
		type state struct{ done <-chan struct{} }
		kept := func() weak.Pointer[state] {
			s := new(state)
			sys := mailbox.NewSystem()
			ref := spawn(t, sys, "worker", func(ctx context.Context, j job) error {
				s.done = ctx.Done()
				return j(ctx)
			})
			pass(t, ref)
			if end {
				drain(t, sys)
			}
			return weak.Make(s)
		}()
		gone := func() bool { return collected(kept) } // Soon: a worker may still be on its way out.
		assert.Eventually(t, gone, patience, time.Millisecond, "ended: %t", end)
	}
}

// afterFuncer is what package context looks for in others' contexts. It does not
// come that far with one that has ended, nor does it stop anything twice.
type afterFuncer interface {
	AfterFunc(f func()) (stop func() bool)
}

func TestFunctionIsCalledOrStopped(t *testing.T) {
	var ctx afterFuncer
	called := make(chan struct{}, 2)
	call := func() { called <- struct{}{} }
	var stop func() bool
	inHandler(t, t.Context(), func(handlers context.Context) {
		ctx, _ = handlers.(afterFuncer)
		require.NotNil(t, ctx)
		stop = ctx.AfterFunc(call)
		stopped := ctx.AfterFunc(func() { assert.Fail(t, "called although stopped") })
		assert.True(t, stopped())
		assert.False(t, stopped(), "twice")
	})
	await(t, called)
	assert.False(t, stop(), "too late")
	late := ctx.AfterFunc(call)
	await(t, called)
	assert.False(t, late(), "after the end")
}

// Whoever asks while others come and go, or while the process is ended, hears of
// the end.
func TestNobodyMissesTheEnd(t *testing.T) {
	const rounds, waiters = 10_000, 3
	sys := newSystem(t)
	for range rounds {
		ref := spawn(t, sys, "worker", do)
		contexts := make(chan context.Context, 1)
		require.NoError(t, ref.Send(t.Context(), func(ctx context.Context) error {
			contexts <- ctx
			return nil
		}))
		ctx := await(t, contexts)
		var ready, told sync.WaitGroup
		ready.Add(waiters + 1)
		for i := range waiters {
			told.Add(2)
			go func() {
				ready.Done()
				ready.Wait()
				direct, _ := ctx.(afterFuncer)
				for range i { // Whoever leaves last closes the door.
					direct.AfterFunc(func() {})()
				}
				direct.AfterFunc(told.Done)
				<-ctx.Done()
				told.Done()
			}()
		}
		ready.Done()
		ready.Wait()
		ref.Kill()
		all := make(chan struct{})
		go func() {
			told.Wait()
			close(all)
		}()
		await(t, all)
	}
	drain(t, sys)
}

// A process that derives contexts all its life keeps none that is over.
func TestStoppedFunctionsAreForgotten(t *testing.T) {
	sys := newSystem(t)
	ref := spawn(t, sys, "worker", do)
	kept := make(chan weak.Pointer[cargo], 1)
	require.NoError(t, ref.Send(t.Context(), func(ctx context.Context) error {
		c := new(cargo)
		stop := context.AfterFunc(ctx, func() { runtime.KeepAlive(c) })
		assert.True(t, stop())
		kept <- weak.Make(c)
		return nil
	}))
	pass(t, ref)
	stopped := await(t, kept)
	assert.Eventually(t, func() bool { return collected(stopped) }, patience, time.Millisecond)
	runtime.KeepAlive(ref)
	drain(t, sys)
}
