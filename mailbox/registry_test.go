// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

func TestGetOrSpawnAtOnceIsOneProcess(t *testing.T) {
	const many = 1000
	for range 5 {
		sys := newSystem(t)
		kind := newKind[job](t, sys, "worker")
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
	kind := newKind[job](t, sys, "worker")
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
	kind, other := newKind[job](t, sys, "worker"), newKind[job](t, sys, "worker")
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

// What had a name is garbage once it has ended, and so is its state, even where
// its kind looks for idle processes only now and then.
func TestRegisteredProcessesThatEndedAreCollectable(t *testing.T) {
	sys := newSystem(t)
	kind := newKind[job](t, sys, "worker", mailbox.WithPassivation(time.Hour))
	end := map[string]func(ref mailbox.Ref[job]){
		"stopped": func(ref mailbox.Ref[job]) { assert.NoError(t, ref.Stop(context.Background())) },
		"killed":  mailbox.Ref[job].Kill,
		"failed":  func(ref mailbox.Ref[job]) { assert.NoError(t, ref.Send(context.Background(), panics)) },
		"alive":   func(mailbox.Ref[job]) {},
	}
	states := make(map[string]weak.Pointer[cargo])
	for id, end := range end {
		var l lives
		ref, err := kind.GetOrSpawn(id, l.start)
		require.NoError(t, err)
		pass(t, ref)
		states[id] = l.state
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
