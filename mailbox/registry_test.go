// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

func newKind[M any](t testing.TB, sys *mailbox.System, opts ...mailbox.KindOption) *mailbox.Kind[M] {
	t.Helper()
	kind, err := mailbox.NewKind[M](sys, "worker", opts...)
	require.NoError(t, err)
	return kind
}

func TestGetOrSpawnAtOnceIsOneProcess(t *testing.T) {
	const many = 1000
	for range 5 {
		sys := newSystem(t)
		kind := newKind[job](t, sys)
		var l lives
		refs := make([]mailbox.Ref[job], many)
		handled := 0
		begin := make(chan struct{})
		var wg sync.WaitGroup
		for i := range refs {
			wg.Go(func() {
				<-begin
				ref, err := kind.GetOrSpawn("x", l.start)
				assert.NoError(t, err)
				refs[i] = ref
				assert.NoError(t, ref.Send(t.Context(), func(context.Context) error { handled++; return nil }))
			})
		}
		close(begin)
		wg.Wait()
		for _, ref := range refs {
			require.Equal(t, refs[0], ref)
		}
		assert.Equal(t, 1, sys.Stats().Processes)
		drain(t, sys)
		assert.Equal(t, many, handled)
		assert.Equal(t, 1, l.starts)
	}
}

// While one process is registered, which takes a while as all are being counted,
// those who ask for another wait, and then find at the same time that there is none.
func TestGetOrSpawnOfManyAtOnceIsOneOfEach(t *testing.T) {
	const askers, names, others = 20, 20, 20_000
	sys := newSystem(t)
	for range others {
		spawn(t, sys, "other", do)
	}
	counting, stop, stopped := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
				sys.Stats()
			}
			if n == 0 {
				close(counting)
			}
		}
	}()
	kind := newKind[job](t, sys)
	var refs [askers][names]mailbox.Ref[job]
	var wg sync.WaitGroup
	await(t, counting)
	for asker := range refs {
		wg.Go(func() {
			for i := range names {
				name := (i + asker/4*names/5) % names // Four ask for the same, the others for others.
				var err error
				refs[asker][name], err = kind.GetOrSpawn(strconv.Itoa(name), startsWith(nothing))
				assert.NoError(t, err)
			}
		})
	}
	wg.Wait()
	close(stop)
	<-stopped
	assert.Equal(t, others+names, sys.Stats().Processes)
	for asker := range refs {
		same := refs[asker] == refs[0]
		assert.True(t, same, "asker %d has got others", asker)
	}
}

func TestLookup(t *testing.T) {
	sys := newSystem(t)
	kind, other := newKind[job](t, sys), newKind[job](t, sys)
	var l lives
	none, ok := kind.Lookup("x")
	assert.False(t, ok)
	assert.Zero(t, none)
	_, err := kind.SpawnInstance("x", l.start)
	require.NoError(t, err)
	_, err = kind.Spawn("x", do)
	require.NoError(t, err)
	_, ok = kind.Lookup("x")
	assert.False(t, ok, "it was spawned otherwise")

	for _, id := range []string{"x", "y", ""} {
		ref, err := kind.GetOrSpawn(id, l.start)
		require.NoError(t, err)
		assert.Equal(t, id, ref.ID())
		assert.Equal(t, "worker", ref.Kind())
		again, err := kind.GetOrSpawn(id, nil)
		require.NoError(t, err, "no Factory is needed")
		found, ok := kind.Lookup(id)
		assert.True(t, ok)
		assert.Equal(t, []mailbox.Ref[job]{ref, ref}, []mailbox.Ref[job]{again, found})
	}
	_, ok = other.Lookup("x")
	assert.False(t, ok, "another kind, even of the same name")
	drain(t, sys)
	for _, id := range []string{"x", "y", ""} {
		_, ok = kind.Lookup(id)
		assert.False(t, ok, "it has ended")
	}
	_, err = kind.GetOrSpawn("x", l.start)
	require.ErrorIs(t, err, mailbox.ErrStopped)
	_, ok = kind.Lookup("x")
	assert.False(t, ok, "none was spawned")
}

func TestRegisteredUntilItHasEnded(t *testing.T) {
	for name, end := range map[string]func(ref mailbox.Ref[job]){
		"stopped": func(ref mailbox.Ref[job]) { go func() { _ = ref.Stop(context.Background()) }() },
		"killed":  mailbox.Ref[job].Kill,
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, opts ...mailbox.KindOption) {
				sys := newSystem(t)
				kind := newKind[job](t, sys, opts...)
				var l lives
				old, err := kind.GetOrSpawn("x", l.start)
				require.NoError(t, err)
				held, entered, release := hold()
				sendAll(t, old, held)
				await(t, entered)
				end(old)
				settle()
				still, err := kind.GetOrSpawn("x", l.start)
				require.NoError(t, err)
				require.Equal(t, old, still)
				require.ErrorIs(t, still.Send(t.Context(), nothing), mailbox.ErrStopped)
				release()
				await(t, old.Done())
				_, ok := kind.Lookup("x")
				assert.False(t, ok)
				fresh, err := kind.GetOrSpawn("x", l.start)
				require.NoError(t, err)
				assert.NotEqual(t, old, fresh)
				pass(t, fresh)
				assert.Equal(t, 2, l.starts)
				drain(t, sys)
			})
		})
	}
}

// One that fails, is passivated or restarts is still the same; one that is given
// up is gone.
func TestRegisteredThroughItsInstances(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		kind := newKind[job](t, sys, restarting(mailbox.RestartPolicy{MaxFailures: 1.5})...)
		var l lives
		ref, err := kind.GetOrSpawn("x", l.start)
		require.NoError(t, err)
		same := func() bool {
			now, ok := kind.Lookup("x")
			return ok && now == ref
		}
		for range 3 {
			sendAll(t, ref, nothing)
			settle()
			passivate(t, ref)
			assert.True(t, same())
		}
		sendAll(t, ref, fails)
		settle()
		assert.True(t, same())
		sendAll(t, ref, fails)
		await(t, ref.Done())
		require.ErrorIs(t, ref.Err(), mailbox.ErrTooManyRestarts)
		assert.False(t, same())
		_, err = kind.GetOrSpawn("x", l.start)
		require.NoError(t, err)
		drain(t, sys)
	})
}

// What had a name is garbage once it has ended, and so is its state, even where
// its kind looks for idle processes only now and then.
func TestRegisteredProcessesThatEndedAreCollectable(t *testing.T) {
	sys := newSystem(t)
	kind := newKind[job](t, sys, mailbox.WithPassivation(time.Hour))
	end := map[string]func(ref mailbox.Ref[job]){
		"stopped": func(ref mailbox.Ref[job]) { assert.NoError(t, ref.Stop(context.Background())) },
		"killed":  mailbox.Ref[job].Kill,
		"failed":  func(ref mailbox.Ref[job]) { assert.NoError(t, ref.Send(context.Background(), panics)) },
		"alive":   func(mailbox.Ref[job]) {},
	}
	states := make(map[string]weak.Pointer[cargo])
	for id, end := range end {
		var a archive
		ref, err := kind.GetOrSpawn(id, a.start)
		require.NoError(t, err)
		pass(t, ref)
		states[id] = a.state
		if end(ref); id != "alive" {
			await(t, ref.Done())
		}
	}
	for id, state := range states {
		assert.Equal(t, id != "alive", collected(state), id)
	}
	drain(t, sys)
	runtime.KeepAlive(kind)
}

// town is a kind with a few IDs that many goroutines use at once. Each ID has
// a house, which is its processes' one after the other.
type town struct {
	kind    *mailbox.Kind[numbered]
	houses  [5]house
	handled atomic.Int64
	random  func() int // of each handling: 0 fails, 1 exits
}

type house struct {
	inside atomic.Int64
	saved  map[int]int // the number of the last message by sender; unlocked
}

// start begins an instance that checks that it is alone, and that messages
// come in order.
func (w *town) start(t *testing.T, h *house) mailbox.Factory[numbered] {
	t.Helper()
	return func(context.Context, mailbox.Ref[numbered]) (mailbox.Instance[numbered], error) {
		last := h.saved
		if last == nil {
			last = make(map[int]int)
		}
		return mailbox.Instance[numbered]{
			Handle: func(_ context.Context, m numbered) error {
				assert.EqualValues(t, 1, h.inside.Add(1), "two at once")
				defer h.inside.Add(-1)
				assert.Greater(t, m.number, last[m.sender], "sender %d", m.sender)
				last[m.sender] = m.number
				h.saved = last
				switch w.random() {
				case 0:
					return errSpilt
				case 1:
					runtime.Goexit()
				}
				w.handled.Add(1)
				return nil
			},
			Save: func(context.Context) error {
				assert.EqualValues(t, 1, h.inside.Add(1), "two at once")
				defer h.inside.Add(-1)
				if rand.IntN(4) == 0 {
					return errSpilt
				}
				runtime.Gosched()
				h.saved, last = last, nil
				return nil
			},
		}, nil
	}
}

// crowded has senders send to processes by chance, and returns how many messages
// were taken and how many were not.
func (w *town) crowded(t *testing.T, senders, each int, then func(ref mailbox.Ref[numbered])) (taken, refused int64) {
	t.Helper()
	var yes, no atomic.Int64
	var wg sync.WaitGroup
	for sender := range senders {
		wg.Go(func() {
			for i := range each {
				id := rand.IntN(len(w.houses))
				ref, err := w.kind.GetOrSpawn(strconv.Itoa(id), w.start(t, &w.houses[id]))
				if !assert.NoError(t, err) {
					return
				}
				switch err := ref.Send(context.Background(), numbered{sender: sender, number: i + 1}); {
				case err == nil:
					yes.Add(1)
				case assert.ErrorIs(t, err, mailbox.ErrStopped):
					no.Add(1)
				}
				if i%8 == 0 {
					runtime.Gosched() // So that there is somebody idle at all.
				}
				then(ref)
			}
		})
	}
	wg.Wait()
	return yes.Load(), no.Load()
}

// While they are passivated and come back all the time, processes lose nothing.
func TestPassivatedKeepsOrderAndAccounts(t *testing.T) {
	sys := newSystem(t)
	w := &town{kind: newKind[numbered](t, sys, mailbox.WithPassivation(1), mailbox.WithCapacity(16)),
		random: func() int { return 2 }}
	taken, refused := w.crowded(t, 4, 5000, func(ref mailbox.Ref[numbered]) { ref.Passivate() })
	drain(t, sys)
	s := sys.Stats()
	assert.EqualValues(t, 20_000, taken)
	assert.Zero(t, refused)
	assert.Equal(t, taken, w.handled.Load())
	assert.EqualValues(t, taken, s.Handled)
	assert.Greater(t, s.Passivated, uint64(100))
	assert.NotZero(t, s.SaveFailures)
	requireAtRest(t, s)
}

// Whatever ends them, there is one process of an ID at a time, and no message
// that is not accounted for.
func TestRegistryInTurmoil(t *testing.T) {
	for _, own := range []bool{false, true} {
		opts := restarting(mailbox.RestartPolicy{MaxFailures: 2, MinBackoff: 10 * time.Microsecond, MaxBackoff: time.Millisecond},
			mailbox.WithPassivation(time.Millisecond))
		if own {
			opts = append(opts, mailbox.WithDedicatedGoroutine())
		}
		sys := newSystem(t)
		w := &town{kind: newKind[numbered](t, sys, opts...), random: func() int { return rand.IntN(50) }}
		taken, refused := w.crowded(t, 6, 3000, func(ref mailbox.Ref[numbered]) {
			switch n := rand.IntN(100); {
			case n < 3:
				ref.Kill()
			case n < 6:
				_ = ref.Stop(context.Background())
			case n < 20:
				ref.Passivate()
			}
		})
		drain(t, sys)
		s := sys.Stats()
		assert.EqualValues(t, taken, s.Accepted)
		assert.EqualValues(t, refused, s.Refused.Total())
		assert.EqualValues(t, w.handled.Load(), s.Handled)
		for name, n := range map[string]uint64{
			"failed": s.Failed, "dead": s.DeadLetters.Total(), "restarts": s.Restarts, "passivated": s.Passivated,
		} {
			assert.NotZero(t, n, name)
		}
		requireAtRest(t, s)
	}
}
