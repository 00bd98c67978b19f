// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"errors"
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

func observe(t *testing.T, sys *mailbox.System, opts ...mailbox.KindOption) *observer {
	t.Helper()
	return &observer{ref: spawn(t, sys, "observer", do, opts...)}
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

// one returns the only end that it has learnt of.
func (o *observer) one(t *testing.T) mailbox.Termination {
	t.Helper()
	settle()
	require.Len(t, o.seen, 1)
	return o.seen[0]
}

// ends are the ways in which a process of [mortal] ends, and what then ended it.
var ends = map[string]struct {
	end  func(ref mailbox.Ref[job])
	errs []error // all of them; none if it was stopped
}{
	"stopped":  {func(ref mailbox.Ref[job]) { _ = ref.Stop(context.Background()) }, nil},
	"killed":   {mailbox.Ref[job].Kill, []error{mailbox.ErrKilled}},
	"failed":   {func(ref mailbox.Ref[job]) { _ = ref.Send(context.Background(), panics) }, []error{errSpilt}},
	"given up": {func(ref mailbox.Ref[job]) { _ = ref.Send(context.Background(), fails) }, []error{mailbox.ErrTooManyRestarts, errSpilt}},
	"linked": {func(ref mailbox.Ref[job]) {
		self := ref
		_ = ref.Send(context.Background(), func(ctx context.Context) error {
			sys, _ := mailbox.SystemOf(ctx)
			other, err := mailbox.Spawn(sys, "other", do)
			mailbox.Link(self, other)
			other.Kill()
			return err
		})
	}, []error{mailbox.ErrLinked, mailbox.ErrKilled}},
}

// mortal spawns a process that ends in any of the ends.
func mortal(t *testing.T, sys *mailbox.System, opts ...mailbox.KindOption) mailbox.Ref[job] {
	t.Helper()
	var l lives
	return spawnFrom(t, sys, l.start, append(opts, mailbox.WithErrorPolicy(mailbox.Restart),
		mailbox.WithRestartPolicy(mailbox.RestartPolicy{MaxFailures: 0.5}))...)
}

func requireErrs(t *testing.T, err error, want []error) {
	t.Helper()
	if len(want) == 0 {
		require.NoError(t, err)
	}
	for _, w := range want {
		require.ErrorIs(t, err, w)
	}
}

func TestWatchTellsOfEveryEnd(t *testing.T) {
	for name, test := range ends {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, opts ...mailbox.KindOption) {
				sys := newSystem(t)
				before, after := observe(t, sys, opts...), observe(t, sys)
				ref := mortal(t, sys, opts...)
				unwatch := before.watch(ref)
				settle()
				require.Empty(t, before.seen)
				test.end(ref)
				await(t, ref.Done())
				late := after.watch(ref)
				for _, o := range []*observer{before, after} {
					e := o.one(t)
					assert.Equal(t, mailbox.Termination{Kind: "worker", ID: "seven", Err: ref.Err()}, e)
					requireErrs(t, e.Err, test.errs)
				}
				assert.False(t, unwatch())
				assert.False(t, late())
				drain(t, sys)
				s := sys.Stats()
				assert.Zero(t, s.Refused)
				requireAtRest(t, s)
			})
		})
	}
}

func TestLinkPassesEveryEndOn(t *testing.T) {
	for name, test := range ends {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, opts ...mailbox.KindOption) {
				sys := newSystem(t)
				other := mortal(t, sys, opts...)
				busy, idle, late := spawn(t, sys, "busy", do, opts...), mortal(t, sys, opts...), mortal(t, sys, opts...)
				held, entered, release := hold()
				sendAll(t, busy, held, nothing)
				await(t, entered)
				mailbox.Link(busy, other)
				unlink := mailbox.Link(idle, other)
				test.end(other)
				await(t, other.Done())
				await(t, idle.Done())
				require.NoError(t, busy.Err(), "it ends when its handler returns")
				require.ErrorIs(t, busy.Send(t.Context(), nothing), mailbox.ErrStopped)
				release()
				mailbox.Link(late, other)
				for _, ref := range []mailbox.Ref[job]{busy, idle, late} {
					await(t, ref.Done())
					requireErrs(t, ref.Err(), test.errs)
					if test.errs != nil {
						require.ErrorIs(t, ref.Err(), mailbox.ErrLinked)
						require.ErrorIs(t, ref.Err(), other.Err())
					}
				}
				assert.False(t, unlink())
				assert.Equal(t, test.errs != nil, sys.Stats().DeadLetters == mailbox.DeadLetters{Killed: 1})
			})
		})
	}
}

func TestNoticeComesToAFullMailbox(t *testing.T) {
	for _, overflow := range []mailbox.Overflow{mailbox.Wait, mailbox.Refuse, mailbox.DropOldest} {
		inBubble(t, func(t *testing.T) {
			sys := newSystem(t)
			full, release := fill(t, sys, 2, mailbox.WithOverflow(overflow))
			o := &observer{ref: full}
			dead := mortal(t, sys)
			o.watch(dead)
			dead.Kill()
			settle()
			s := sys.Stats()
			assert.EqualValues(t, 4, s.Queued, "one in hand, two, and the notice")
			assert.Zero(t, s.DeadLetters)
			release()
			require.ErrorIs(t, o.one(t).Err, mailbox.ErrKilled)
			drain(t, sys)
			requireAtRest(t, sys.Stats())
		})
	}
}

func TestUnwatchAndUnlink(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		o, other := observe(t, sys), mortal(t, sys)
		linked := mortal(t, sys)
		for _, undo := range []func() bool{o.watch(other), mailbox.Link(linked, other)} {
			assert.True(t, undo())
			assert.False(t, undo(), "once")
		}
		o.watch(other) // Two of the same are two.
		unwatch := o.watch(other)
		assert.True(t, unwatch())
		other.Kill()
		o.one(t)
		require.NoError(t, linked.Err())
		pass(t, linked)
		drain(t, sys)
	})
}

func TestWatchAndLinkOfTheDeadAndOfNobody(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		var nobody mailbox.Ref[job]
		dead, o, other := mortal(t, sys), observe(t, sys), mortal(t, sys)
		unwatch, unlink := mailbox.Watch(dead, other, o.note), mailbox.Link(dead, other)
		dead.Kill()
		await(t, dead.Done())
		assert.False(t, unwatch())
		assert.False(t, unlink())
		for _, ref := range []mailbox.Ref[job]{dead, nobody} {
			assert.False(t, mailbox.Watch(ref, other, o.note)())
			assert.False(t, mailbox.Link(ref, other)())
		}
		other.Kill()
		settle()
		assert.Empty(t, o.seen)
		assert.Zero(t, sys.Stats().Refused, "nobody was told in vain")

		assert.False(t, o.watch(nobody)())
		assert.Equal(t, mailbox.Termination{}, o.one(t))
		stops := mortal(t, sys)
		assert.False(t, mailbox.Link(stops, nobody)())
		await(t, stops.Done())
		require.NoError(t, stops.Err())
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

func TestLinkBothWays(t *testing.T) {
	for name, test := range ends {
		inBubble(t, func(t *testing.T) {
			sys := newSystem(t)
			a, b := mortal(t, sys), mortal(t, sys)
			mailbox.Link(a, b)
			mailbox.Link(b, a)
			test.end(a)
			await(t, b.Done())
			await(t, a.Done())
			requireErrs(t, b.Err(), test.errs)
			requireErrs(t, a.Err(), test.errs)
			assert.Equal(t, name == "linked", errors.Is(a.Err(), mailbox.ErrLinked), "%s, not with the other", name)
		})
	}
}

func TestLinkEndsABackoff(t *testing.T) {
	for name, handled := range map[string]uint64{"killed": 0, "stopped": 5} {
		both(t, func(t *testing.T, opts ...mailbox.KindOption) {
			sys := newSystem(t)
			other := mortal(t, sys)
			ref := inBackoff(t, sys, new(lives), opts...)
			mailbox.Link(ref, other)
			elapsed := stopwatch()
			ends[name].end(other)
			await(t, ref.Done())
			assert.Zero(t, elapsed())
			requireErrs(t, ref.Err(), ends[name].errs)
			s := sys.Stats()
			assert.Equal(t, handled, s.Handled)
			assert.Equal(t, 5-handled, s.DeadLetters.Killed)
		})
	}
}

// A chain of links is as good as a single one, in time, memory and stack.
func TestLongChainOfLinks(t *testing.T) {
	for _, length := range []int{1, 1000, 30_000} {
		for _, end := range []string{"stopped", "killed"} {
			sys := newSystem(t)
			kind := newKind[job](t, sys)
			first, err := kind.Spawn("first", do)
			require.NoError(t, err)
			last := first
			for range length {
				next, err := kind.Spawn("", do)
				require.NoError(t, err)
				mailbox.Link(next, last)
				last = next
			}
			ends[end].end(first)
			await(t, last.Done())
			requireErrs(t, last.Err(), ends[end].errs)
			if end == "killed" {
				require.EqualError(t, last.Err(), "mailbox: ended with a linked process: worker first: mailbox: killed")
			}
			drain(t, sys)
		}
	}
}

// mortals spawns processes and has them watched and killed at once, each watched
// eight times over. It returns their states.
func mortals(t *testing.T, sys *mailbox.System, n int, watch func(dead mailbox.Ref[job])) []weak.Pointer[cargo] {
	t.Helper()
	states := make([]weak.Pointer[cargo], n)
	for i := range states {
		c := new(cargo)
		states[i] = weak.Make(c)
		dead := spawn(t, sys, "dead", func(context.Context, job) error { runtime.KeepAlive(c); return nil })
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() { watch(dead) })
		}
		wg.Go(dead.Kill)
		wg.Wait()
	}
	return states
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
			states := mortals(t, sys, 3000, func(dead mailbox.Ref[job]) { watch(alive, dead) })
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
