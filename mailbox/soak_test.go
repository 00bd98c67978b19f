// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"flag"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

var soakFor = flag.Duration("soak", 0, "how long TestSoak goes on, a few minutes at best")

// A service that goes on for long needs no more memory and goroutines than it
// did at the beginning.
func TestSoak(t *testing.T) {
	if *soakFor == 0 {
		t.Skip("a few minutes of load: go test ./mailbox -run Soak -soak 3m -timeout 10m")
	}
	seed := rand.IntN(1 << 30)
	t.Logf("seed %d", seed)
	programs := stressPrograms(4, 4, 300, 300)
	settings := stressSettings{}
	for i := range settings {
		settings[i] = modelSettings{
			Start: true, Passivate: true, Capacity: 64, OnPanic: mailbox.Restart, Limit: 5,
			Overflow: mailbox.Overflow(i % 3), Own: i == 0,
		}
	}
	s := newStressService(t, settings)
	var heaps, goroutines []int
	var handled, failed uint64
	round := func(program stressProgram) {
		r := newStressRun(s, program)
		r.play(t, r.endAll)
		require.Empty(t, append(r.wrong, r.disorder()...))
		for _, a := range r.actors {
			handled += a.handled
			failed += a.failed
		}
	}
	for begun := time.Now(); time.Since(begun) < *soakFor; seed++ {
		round(programs.Example(seed))
		heap, n := atRest()
		heaps, goroutines = append(heaps, heap), append(goroutines, n)
	}
	require.Greater(t, len(heaps), 9, "too short to tell")
	fifth := len(heaps) / 5
	early, late := slices.Clone(heaps[fifth:2*fifth]), slices.Clone(heaps[len(heaps)-fifth:])
	slices.Sort(early)
	slices.Sort(late)
	before, after := early[len(early)/2], late[len(late)/2]
	stats := s.sys.Stats()
	t.Logf("%d rounds: %+v", len(heaps), stats)
	requireAtRest(t, stats)
	assert.Equal(t, []uint64{handled, failed}, []uint64{stats.Handled, stats.Failed})
	t.Logf("memory: %d kB at first, %d kB at last; goroutines: %d and %d",
		before>>10, after>>10, goroutines[0], goroutines[len(goroutines)-1])
	assert.Less(t, after, before+before/20+64<<10, "memory")
	assert.LessOrEqual(t, slices.Max(goroutines), 3, "goroutines left")
}

// endAll ends what the program has spawned, and leaves the system.
func (r *stressRun) endAll(t require.TestingT) {
	for _, ref := range r.refs {
		ref.Kill()
		<-ref.Done()
	}
	for {
		ref, ok := r.kinds[stressSlots].Lookup(stressName)
		if !ok {
			break
		}
		ref.Kill()
		<-ref.Done()
	}
	require.Zero(t, r.sys.Stats().Processes)
}

// atRest returns what there is of memory and goroutines when all is quiet.
func atRest() (heap, goroutines int) {
	for range 100 { // Until the workers and timers have gone.
		time.Sleep(5 * time.Millisecond)
		if goroutines = runtime.NumGoroutine(); goroutines <= 3 {
			break
		}
	}
	runtime.GC()
	runtime.GC() // Pools let go at the second.
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse), goroutines
}
