// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"runtime"
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

// freight is a message that holds cargo.
type freight struct {
	cargo *cargo
	do    job
	reply mailbox.Reply[*cargo]
}

func carryOut(ctx context.Context, f freight) error {
	if f.do == nil {
		return nil
	}
	return f.do(ctx)
}

// Nothing that went through a mailbox is kept there: not while the process is
// idle, not while it is busy with something else, and however it went.
func TestMailboxKeepsNoMessage(t *testing.T) {
	for _, test := range []struct {
		name string
		opts []mailbox.KindOption
		// use has ref take or refuse the cargo, and returns when it is done with it.
		use func(t *testing.T, ref mailbox.Ref[freight], c *cargo)
	}{
		{"handled", nil, func(t *testing.T, ref mailbox.Ref[freight], c *cargo) {
			t.Helper()
			for range 20 {
				require.NoError(t, ref.Send(t.Context(), freight{cargo: c}))
			}
		}},
		{"failed", []mailbox.KindOption{mailbox.WithPanicPolicy(mailbox.Continue)},
			func(t *testing.T, ref mailbox.Ref[freight], c *cargo) {
				t.Helper()
				require.NoError(t, ref.Send(t.Context(), freight{cargo: c, do: fails}))
				require.NoError(t, ref.Send(t.Context(), freight{cargo: c, do: panics}))
				require.NoError(t, ref.Send(t.Context(), freight{cargo: c, do: exits}))
			}},
		{"called", nil, func(t *testing.T, ref mailbox.Ref[freight], c *cargo) {
			t.Helper()
			_, err := mailbox.Call(t.Context(), ref, func(r mailbox.Reply[*cargo]) freight {
				return freight{cargo: c, reply: r, do: func(context.Context) error {
					r.Answer(c)
					return nil
				}}
			})
			require.NoError(t, err)
		}},
		{"answered later", nil, func(t *testing.T, ref mailbox.Ref[freight], c *cargo) {
			t.Helper()
			left := make(chan mailbox.Reply[*cargo], 1)
			answered := make(chan struct{})
			go func() {
				defer close(answered)
				_, err := mailbox.Call(t.Context(), ref, func(r mailbox.Reply[*cargo]) freight {
					return freight{cargo: c, do: func(context.Context) error {
						left <- r
						return nil
					}}
				})
				assert.NoError(t, err)
			}()
			reply := await(t, left)
			passed := make(chan struct{}) // The handler has returned.
			require.NoError(t, ref.Send(t.Context(), freight{do: func(context.Context) error {
				close(passed)
				return nil
			}}))
			await(t, passed)
			assert.True(t, reply.Answer(c))
			await(t, answered)
		}},
		{"waited and gave up", []mailbox.KindOption{mailbox.WithCapacity(1)},
			func(t *testing.T, ref mailbox.Ref[freight], c *cargo) {
				t.Helper()
				held, entered, release := hold()
				require.NoError(t, ref.Send(t.Context(), freight{do: held}))
				await(t, entered)
				require.NoError(t, ref.Send(t.Context(), freight{}))
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				require.ErrorIs(t, ref.Send(ctx, freight{cargo: c}), context.Canceled)
				release()
			}},
		{"dropped", []mailbox.KindOption{mailbox.WithCapacity(3), mailbox.WithOverflow(mailbox.DropOldest)},
			func(t *testing.T, ref mailbox.Ref[freight], c *cargo) {
				t.Helper()
				held, entered, release := hold()
				require.NoError(t, ref.Send(t.Context(), freight{do: held}))
				await(t, entered)
				for range 3 {
					require.NoError(t, ref.Send(t.Context(), freight{cargo: c}))
				}
				for range 3 {
					require.NoError(t, ref.Send(t.Context(), freight{}))
				}
				release()
			}},
		{"broadcast", nil, func(t *testing.T, ref mailbox.Ref[freight], c *cargo) {
			t.Helper()
			group := newGroup[freight](t, newSystem(t), "fleet")
			require.NoError(t, group.Join(ref))
			group.Broadcast(t.Context(), freight{cargo: c})
			runtime.KeepAlive(group)
		}},
	} {
		for _, busy := range []bool{false, true} {
			name := test.name + ", then idle"
			if busy {
				name = test.name + ", then busy"
			}
			t.Run(name, func(t *testing.T) {
				sys := newSystem(t)
				ref := spawn(t, sys, "truck", carryOut, test.opts...)
				kept := func() weak.Pointer[cargo] {
					c := new(cargo)
					test.use(t, ref, c)
					return weak.Make(c)
				}()
				// One more message, so that those before it are settled.
				last, entered, release := hold()
				require.NoError(t, ref.Send(t.Context(), freight{do: last}))
				await(t, entered)
				if busy {
					defer drain(t, sys)
					defer release()
				} else {
					release()
					passed := make(chan struct{})
					require.NoError(t, ref.Send(t.Context(), freight{do: func(context.Context) error {
						close(passed)
						return nil
					}}))
					await(t, passed)
				}
				assert.True(t, collected(kept), "the message is kept")
				if !busy {
					drain(t, sys)
				}
				runtime.KeepAlive(ref)
			})
		}
	}
}

func TestIdleProcessKeepsNotTheLastMessageEither(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		ref := spawn(t, sys, "truck", carryOut)
		kept := func() weak.Pointer[cargo] {
			c := new(cargo)
			require.NoError(t, ref.Send(t.Context(), freight{cargo: c}))
			return weak.Make(c)
		}()
		settle()
		assert.True(t, collected(kept), "the message is kept")
		drain(t, sys)
		runtime.KeepAlive(ref)
	})
}

// The control: what is in the mailbox is kept, of course.
func TestMailboxKeepsWhatWaits(t *testing.T) {
	sys := newSystem(t)
	ref := spawn(t, sys, "truck", carryOut)
	held, entered, release := hold()
	require.NoError(t, ref.Send(t.Context(), freight{do: held}))
	await(t, entered)
	kept := func() weak.Pointer[cargo] {
		c := new(cargo)
		require.NoError(t, ref.Send(t.Context(), freight{cargo: c}))
		return weak.Make(c)
	}()
	assert.False(t, collected(kept))
	release()
	drain(t, sys)
}

// A process that has ended is garbage as soon as nobody refers to it: neither
// its system nor the groups it was in do.
func TestDeadProcessIsCollectable(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(t *testing.T, ref mailbox.Ref[freight])
		keep bool
	}{
		{"stopped", func(t *testing.T, ref mailbox.Ref[freight]) {
			t.Helper()
			require.NoError(t, ref.Stop(context.Background()))
		}, false},
		{"killed", func(t *testing.T, ref mailbox.Ref[freight]) {
			t.Helper()
			ref.Kill()
			await(t, ref.Done())
		}, false},
		{"failed", func(t *testing.T, ref mailbox.Ref[freight]) {
			t.Helper()
			require.NoError(t, ref.Send(context.Background(), freight{do: panics}))
			await(t, ref.Done())
		}, false},
		{"the control: alive", func(*testing.T, mailbox.Ref[freight]) {}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			sys := newSystem(t)
			group := newGroup[freight](t, sys, "fleet")
			before := spawn(t, sys, "truck", carryOut)
			require.NoError(t, group.Join(before))
			state := func() weak.Pointer[cargo] {
				c := new(cargo) // The handler's state lives as long as the process.
				ref := spawn(t, sys, "truck", func(ctx context.Context, f freight) error {
					runtime.KeepAlive(c)
					_ = ctx.Done()
					return carryOut(ctx, f)
				})
				require.NoError(t, group.Join(ref))
				require.Equal(t, 2, group.Broadcast(t.Context(), freight{}).Delivered)
				_, err := mailbox.Call(t.Context(), ref, func(r mailbox.Reply[*cargo]) freight {
					return freight{do: func(context.Context) error {
						r.Answer(nil)
						return nil
					}}
				})
				require.NoError(t, err)
				test.end(t, ref)
				return weak.Make(c)
			}()
			spawn(t, sys, "truck", carryOut) // The system's list closes over the gap.
			assert.Equal(t, test.keep, !collected(state))
			drain(t, sys)
			runtime.KeepAlive(group)
		})
	}
}

// A Ref to a process that has ended keeps that one, and not those that were
// spawned before and after it.
func TestDeadProcessKeepsNotItsNeighbours(t *testing.T) {
	sys := newSystem(t)
	var states []weak.Pointer[cargo]
	var refs []mailbox.Ref[freight]
	for range 3 {
		c := new(cargo)
		refs = append(refs, spawn(t, sys, "truck", func(context.Context, freight) error {
			runtime.KeepAlive(c)
			return nil
		}))
		states = append(states, weak.Make(c))
	}
	for _, i := range []int{1, 0, 2} {
		require.NoError(t, refs[i].Stop(t.Context()))
	}
	refs[0], refs[2] = mailbox.Ref[freight]{}, mailbox.Ref[freight]{}
	assert.True(t, collected(states[0]))
	assert.True(t, collected(states[2]))
	assert.False(t, collected(states[1]), "the control")
	runtime.KeepAlive(refs)
}

// A process that left a group, however often it had joined, does not keep it.
func TestGroupThatWasLeftIsCollectable(t *testing.T) {
	for _, left := range []bool{true, false} {
		sys := newSystem(t)
		ref := spawn(t, sys, "truck", carryOut)
		kept := func() weak.Pointer[mailbox.Group[freight]] {
			group := newGroup[freight](t, sys, "fleet")
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
