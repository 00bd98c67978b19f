// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"runtime"
	"testing"
	"time"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

// idleSize is how many bytes an idle process may be.
const idleSize = 192.0

// uses are what handlers do with their contexts.
var uses = append([]derivation{
	{name: "Done", derive: func(ctx context.Context) (context.Context, context.CancelFunc) {
		return ctx, func() { _ = ctx.Done() }
	}},
}, derivations...)

// What the handlers' use of their contexts took is given back: the processes are
// as small again as those that were never woken.
func TestIdleProcessesGiveBackWhatTheirContextsTook(t *testing.T) {
	for _, use := range uses {
		t.Run(use.name, func(t *testing.T) {
			size := usedAndIdle(t, use)
			for range 3 { // Goroutines leave something behind, which the next use again.
				if size <= idleSize {
					break
				}
				size = usedAndIdle(t, use)
			}
			assert.LessOrEqual(t, size, idleSize)
		})
	}
}

// usedAndIdle returns how many bytes a process is that has used its context.
func usedAndIdle(t *testing.T, use derivation) float64 {
	t.Helper()
	const processes = 10_000
	sys := newSystem(t)
	defer drain(t, sys)
	kind, err := mailbox.NewKind[chan<- struct{}](sys, "session")
	require.NoError(t, err)
	handler := func(ctx context.Context, used chan<- struct{}) error {
		_, cancel := use.derive(ctx)
		cancel()
		used <- struct{}{}
		return nil
	}
	refs := make([]mailbox.Ref[chan<- struct{}], processes)
	defer runtime.KeepAlive(refs)
	used := make(chan struct{}, 1)
	runtime.GC()
	_, before := memory()
	for i := range refs {
		refs[i], err = kind.Spawn("", handler)
		require.NoError(t, err)
		require.NoError(t, refs[i].Send(context.Background(), used))
		await(t, used)
	}
	for deadline := time.Now().Add(patience / 4); ; { // Cleanups run beside us.
		runtime.GC()
		_, after := memory()
		size := (float64(after) - float64(before)) / processes
		if size <= idleSize || time.Now().After(deadline) {
			return size
		}
	}
}

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
		assert.True(t, collected(kept), "ended: %t", end)
	}
}
