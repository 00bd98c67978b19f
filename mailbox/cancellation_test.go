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

// What is left of a handler is told of its process's end, however little of the
// context it has kept, and however long ago.
func TestWhoKeepsOnlyTheChannelHearsOfTheEnd(t *testing.T) {
	for _, use := range derivations {
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
	first := contextIn(t, t.Context(), ref).Done()
	runtime.GC()
	assert.Equal(t, first, contextIn(t, t.Context(), ref).Done())
	drain(t, sys)
}

// Nobody needs to stop a function for what it holds to go with its process, and one that
// was stopped goes before.
func TestFunctionsAreForgotten(t *testing.T) {
	sys := newSystem(t)
	ref := spawn(t, sys, "worker", do)
	registered := func(stop bool) weak.Pointer[cargo] {
		return kept(t, ref, func(t *testing.T, ref mailbox.Ref[job], c *cargo) {
			t.Helper()
			sendAll(t, ref, func(ctx context.Context) error {
				undo := context.AfterFunc(ctx, func() { runtime.KeepAlive(c) })
				assert.True(t, !stop || undo())
				return nil
			})
			pass(t, ref)
		})
	}
	goes, stays := registered(true), registered(false)
	assert.Eventually(t, func() bool { return collected(goes) }, patience, time.Millisecond)
	assert.False(t, collected(stays), "the control")
	require.NoError(t, ref.Stop(t.Context()))
	assert.True(t, collected(stays))
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

// Whoever asks while others come and go, or while the process is ended, hears of
// the end.
func TestNobodyMissesTheEnd(t *testing.T) {
	const rounds, waiters = 10_000, 3
	sys := newSystem(t)
	for range rounds {
		ref := spawn(t, sys, "worker", do)
		ctx := contextIn(t, t.Context(), ref)
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
