// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

// observer notes of which ends it learns.
type observer struct {
	ref  mailbox.Ref[job]
	seen []mailbox.Termination
}

func observe(t *testing.T, sys *mailbox.System) *observer {
	t.Helper()
	return &observer{ref: spawn(t, sys, "observer", do)}
}

func (o *observer) note(e mailbox.Termination) job {
	return func(context.Context) error {
		o.seen = append(o.seen, e)
		return nil
	}
}

func (o *observer) watch(other mailbox.Ref[job]) func() bool {
	return mailbox.Watch(o.ref, other, o.note)
}

// mortal spawns a process that ends when it fails, for good.
func mortal(t *testing.T, sys *mailbox.System) mailbox.Ref[job] {
	t.Helper()
	return spawnAs(t, sys, "worker", "seven", do, mailbox.WithErrorPolicy(mailbox.Terminate))
}

// Who is told of which end, and ends with it, is in TestModel. Here is what that leaves
// out.

func TestWatchAndLinkOfNobody(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		var nobody mailbox.Ref[job]
		o, other, stops := observe(t, sys), mortal(t, sys), mortal(t, sys)
		assert.False(t, mailbox.Watch(nobody, other, o.note)())
		assert.False(t, mailbox.Link(nobody, other)())
		o.watch(other)
		other.Kill()
		settle()
		assert.False(t, o.watch(nobody)())
		settle()
		assert.Equal(t, []mailbox.Termination{{Kind: "worker", ID: "seven", Err: mailbox.ErrKilled}, {}}, o.seen)
		assert.False(t, mailbox.Link(stops, nobody)())
		await(t, stops.Done())
		require.NoError(t, stops.Err())
		assert.Zero(t, sys.Stats().Refused, "nobody was told in vain")
	})
}

func TestWatchAndLinkOfItself(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		o := observe(t, sys)
		o.watch(o.ref)
		mailbox.Link(o.ref, o.ref)
		assert.True(t, mailbox.Link(o.ref, o.ref)())
		pass(t, o.ref)
		o.ref.Kill()
		await(t, o.ref.Done())
		require.Equal(t, mailbox.ErrKilled, o.ref.Err())
		assert.Empty(t, o.seen)
		requireAtRest(t, sys.Stats())
	})
}

// A chain of links is as good as a single one, in time, memory and stack.
func TestLongChainOfLinks(t *testing.T) {
	for _, length := range []int{1, 1000, 30_000} {
		for _, kill := range []bool{false, true} {
			sys := newSystem(t)
			kind := newKind[job](t, sys, "worker")
			first, err := kind.Spawn("first", do)
			require.NoError(t, err)
			last := first
			for range length {
				next, err := kind.Spawn("", do)
				require.NoError(t, err)
				mailbox.Link(next, last)
				last = next
			}
			if kill {
				first.Kill()
				await(t, last.Done())
				require.EqualError(t, last.Err(), "mailbox: ended with a linked process: worker first: mailbox: killed")
			} else {
				require.NoError(t, first.Stop(t.Context()))
				await(t, last.Done())
				require.NoError(t, last.Err())
			}
			drain(t, sys)
		}
	}
}

// Of two of whom one watches the other, the one that lives on does not keep the
// other, whoever that is and however close to the end the watch began.
func TestWatchesKeepNobody(t *testing.T) {
	tell := func(mailbox.Termination) job { return nothing }
	for name, watch := range map[string]func(alive, dead mailbox.Ref[job]){
		"watcher": func(alive, dead mailbox.Ref[job]) { mailbox.Watch(alive, dead, tell) },
		"watched": func(alive, dead mailbox.Ref[job]) { mailbox.Watch(dead, alive, tell) },
	} {
		t.Run(name, func(t *testing.T) {
			sys := newSystem(t)
			alive := spawn(t, sys, "alive", do)
			states := make([]weak.Pointer[cargo], 3000)
			for i := range states { // Each is watched eight times over and killed at once.
				c := new(cargo)
				states[i] = weak.Make(c)
				dead := spawn(t, sys, "dead", func(context.Context, job) error { runtime.KeepAlive(c); return nil })
				var wg sync.WaitGroup
				for range 8 {
					wg.Go(func() { watch(alive, dead) })
				}
				wg.Go(dead.Kill)
				wg.Wait()
			}
			pass(t, alive)
			runtime.GC() // For most of them one is enough.
			for i, s := range states {
				require.True(t, s.Value() == nil || collected(s), "number %d", i)
			}
			drain(t, sys)
		})
	}
}

// Whenever it is asked for, there is one notice of each end, or unwatch was in
// time; and who is linked ends, or unlink was in time.
func TestWatchesAndLinksRacingWithEnds(t *testing.T) {
	const rounds, links = 400, 6
	sys := newSystem(t)
	o := spawn(t, sys, "observer", do, mailbox.WithCapacity(1))
	for range rounds {
		var notices [links]atomic.Int32
		var undone [links]bool
		var linked [links]mailbox.Ref[job]
		other := mortal(t, sys)
		begin := make(chan struct{})
		var wg sync.WaitGroup
		for i := range links {
			undoes := rand.IntN(2) == 0
			linked[i] = mortal(t, sys)
			if i == 1 { // It ends at the same time.
				wg.Go(func() { <-begin; linked[i].Kill() })
			}
			wg.Go(func() {
				<-begin
				undo := mailbox.Link(linked[i], other)
				if i%2 == 0 {
					undo = mailbox.Watch(o, other, func(e mailbox.Termination) job {
						assert.ErrorIs(t, e.Err, mailbox.ErrKilled)
						return func(context.Context) error { notices[i].Add(1); return nil }
					})
				}
				if undoes {
					undone[i] = undo()
				}
			})
		}
		wg.Go(func() { <-begin; other.Kill() })
		close(begin)
		wg.Wait()
		await(t, other.Done())
		pass(t, o)
		for i := range links {
			if i%2 == 0 {
				require.Equal(t, undone[i], notices[i].Load() == 0)
				require.LessOrEqual(t, notices[i].Load(), int32(1))
			} else if !undone[i] {
				await(t, linked[i].Done())
				if err := linked[i].Err(); i > 1 || err != mailbox.ErrKilled {
					require.ErrorIs(t, err, mailbox.ErrLinked)
				}
			}
			linked[i].Kill()
		}
	}
	drain(t, sys)
	requireAtRest(t, sys.Stats())
}
