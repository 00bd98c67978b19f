// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

// cargo is something big enough to miss when it is gone.
type cargo struct{ _ [1 << 12]byte }

// collected reports whether nothing keeps what p points to.
func collected[T any](p weak.Pointer[T]) bool {
	for range 10 {
		runtime.GC()
		if p.Value() == nil {
			return true
		}
		runtime.Gosched() // Whoever has it on its stack may be about to return.
	}
	return false
}

// holding returns a job that holds c.
func holding(c *cargo, j job) job {
	return func(ctx context.Context) error {
		defer runtime.KeepAlive(c)
		return j(ctx)
	}
}

// kept sends what holds cargo to ref, and returns a pointer that does not keep that.
func kept(t *testing.T, ref mailbox.Ref[job], send func(t *testing.T, ref mailbox.Ref[job], c *cargo)) weak.Pointer[cargo] {
	t.Helper()
	c := new(cargo)
	send(t, ref, c)
	return weak.Make(c)
}

// Nothing that went through a mailbox is kept there: not while the process is
// idle, not while it is busy with something else, and however it went.
func TestMailboxKeepsNoMessage(t *testing.T) {
	drops := []mailbox.KindOption{mailbox.WithCapacity(3), mailbox.WithOverflow(mailbox.DropOldest)}
	for name, test := range map[string]struct {
		opts []mailbox.KindOption
		// use has ref take or refuse the cargo, and returns when it is done with it.
		use func(t *testing.T, ref mailbox.Ref[job], c *cargo)
	}{
		"handled": {nil, func(t *testing.T, ref mailbox.Ref[job], c *cargo) {
			t.Helper()
			sendAll(t, ref, slices.Repeat([]job{holding(c, nothing)}, 20)...)
		}},
		"failed": {[]mailbox.KindOption{mailbox.WithPanicPolicy(mailbox.Continue)},
			func(t *testing.T, ref mailbox.Ref[job], c *cargo) {
				t.Helper()
				sendAll(t, ref, holding(c, fails), holding(c, panics), holding(c, exits))
			}},
		"called": {nil, func(t *testing.T, ref mailbox.Ref[job], c *cargo) {
			t.Helper()
			_, err := mailbox.Call(t.Context(), ref, func(r mailbox.Reply[*cargo]) job {
				return func(context.Context) error { r.Answer(c); return nil }
			})
			require.NoError(t, err)
		}},
		"answered later": {nil, func(t *testing.T, ref mailbox.Ref[job], c *cargo) {
			t.Helper()
			left := make(chan mailbox.Reply[*cargo], 1)
			answered := inBackground(func() error {
				_, err := mailbox.Call(t.Context(), ref, func(r mailbox.Reply[*cargo]) job {
					return holding(c, func(context.Context) error { left <- r; return nil })
				})
				return err
			})
			reply := await(t, left)
			pass(t, ref) // The handler has returned.
			assert.True(t, reply.Answer(c))
			require.NoError(t, await(t, answered))
		}},
		"waited and gave up": {[]mailbox.KindOption{mailbox.WithCapacity(1)},
			func(t *testing.T, ref mailbox.Ref[job], c *cargo) {
				t.Helper()
				release := keepBusy(t, ref)
				sendAll(t, ref, nothing)
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				require.ErrorIs(t, ref.Send(ctx, holding(c, nothing)), context.Canceled)
				release()
			}},
		"dropped": {drops, func(t *testing.T, ref mailbox.Ref[job], c *cargo) {
			t.Helper()
			release := keepBusy(t, ref)
			sendAll(t, ref, slices.Repeat([]job{holding(c, nothing)}, 3)...)
			sendAll(t, ref, nothings(3)...)
			release()
		}},
		"broadcast": {nil, func(t *testing.T, ref mailbox.Ref[job], c *cargo) {
			t.Helper()
			group := newGroup[job](t, newSystem(t), "fleet")
			require.NoError(t, group.Join(ref))
			group.Broadcast(t.Context(), holding(c, nothing))
			runtime.KeepAlive(group)
		}},
	} {
		for _, busy := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, then busy: %t", name, busy), func(t *testing.T) {
				sys := newSystem(t)
				ref := spawn(t, sys, "truck", do, test.opts...)
				message := kept(t, ref, test.use)
				release := keepBusy(t, ref) // With one more message: those before it are settled.
				if !busy {
					release()
					pass(t, ref)
				}
				assert.True(t, collected(message), "the message is kept")
				release()
				drain(t, sys)
				runtime.KeepAlive(ref)
			})
		}
	}
}

// sendCargo sends a message that holds c.
func sendCargo(t *testing.T, ref mailbox.Ref[job], c *cargo) {
	t.Helper()
	sendAll(t, ref, holding(c, nothing))
}

func TestIdleProcessKeepsNotTheLastMessageEither(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		ref := spawn(t, sys, "truck", do)
		message := kept(t, ref, sendCargo)
		settle()
		assert.True(t, collected(message), "the message is kept")
		drain(t, sys)
		runtime.KeepAlive(ref)
	})
}

// The control: what is in the mailbox is kept, of course.
func TestMailboxKeepsWhatWaits(t *testing.T) {
	sys := newSystem(t)
	ref := spawn(t, sys, "truck", do)
	release := keepBusy(t, ref)
	assert.False(t, collected(kept(t, ref, sendCargo)))
	release()
	drain(t, sys)
}

// carrier spawns a process whose handler holds cargo, its state, which lives as long.
func carrier(t *testing.T, sys *mailbox.System) (mailbox.Ref[job], weak.Pointer[cargo]) {
	t.Helper()
	c := new(cargo)
	return spawn(t, sys, "truck", func(ctx context.Context, j job) error {
		_ = ctx.Done()
		return holding(c, j)(ctx)
	}), weak.Make(c)
}

// A process that has ended is garbage as soon as nobody refers to it: neither
// its system nor the groups it was in do.
func TestDeadProcessIsCollectable(t *testing.T) {
	for name, end := range map[string]func(ref mailbox.Ref[job]){
		"stopped":            func(ref mailbox.Ref[job]) { _ = ref.Stop(context.Background()) },
		"killed":             mailbox.Ref[job].Kill,
		"failed":             func(ref mailbox.Ref[job]) { _ = ref.Send(context.Background(), panics) },
		"the control: alive": nil,
	} {
		t.Run(name, func(t *testing.T) {
			sys := newSystem(t)
			group := newGroup[job](t, sys, "fleet")
			require.NoError(t, group.Join(spawn(t, sys, "truck", do)))
			state := func() weak.Pointer[cargo] {
				ref, state := carrier(t, sys)
				require.NoError(t, group.Join(ref))
				require.Equal(t, 2, group.Broadcast(t.Context(), nothing).Delivered)
				_, err := call(t.Context(), ref, answer)
				require.NoError(t, err)
				if end != nil {
					end(ref)
					await(t, ref.Done())
				}
				return state
			}()
			spawn(t, sys, "truck", do) // The system's list closes over the gap.
			assert.Equal(t, end != nil, collected(state))
			drain(t, sys)
			runtime.KeepAlive(group)
		})
	}
}

// A Ref to a process that has ended keeps that one, and not those that were
// spawned before and after it.
func TestDeadProcessKeepsNotItsNeighbours(t *testing.T) {
	sys := newSystem(t)
	var states [3]weak.Pointer[cargo]
	var refs [3]mailbox.Ref[job]
	for i := range refs {
		refs[i], states[i] = carrier(t, sys)
	}
	for _, i := range []int{1, 0, 2} {
		require.NoError(t, refs[i].Stop(t.Context()))
	}
	refs[0], refs[2] = mailbox.Ref[job]{}, mailbox.Ref[job]{}
	assert.True(t, collected(states[0]))
	assert.True(t, collected(states[2]))
	assert.False(t, collected(states[1]), "the control")
	runtime.KeepAlive(refs)
}

// A process that left a group, however often it had joined, does not keep it.
func TestGroupThatWasLeftIsCollectable(t *testing.T) {
	for _, left := range []bool{true, false} {
		sys := newSystem(t)
		ref := spawn(t, sys, "truck", do)
		kept := func() weak.Pointer[mailbox.Group[job]] {
			group := newGroup[job](t, sys, "fleet")
			for range 3 {
				require.NoError(t, group.Join(ref))
			}
			if left {
				require.True(t, group.Leave(ref))
			}
			return weak.Make(group)
		}()
		assert.Equal(t, left, collected(kept))
		drain(t, sys)
	}
}
