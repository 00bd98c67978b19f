// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package minutes_test

import (
	"math/rand/v2"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/internal/stattest"
	"github.com/waybill-go/waybill/mailbox/internal/minutes"
)

// inUse returns the bytes that are in use on the heap.
func inUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // What a pool has goes at the second collection.
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A store takes no more than it may, by its own count and by the runtime's, whatever the
// processes are like. Nothing is lost: what is not kept is among what was forgotten.
func TestBudget(t *testing.T) {
	types := []reflect.Type{reflect.TypeFor[create](), reflect.TypeFor[update](), reflect.TypeFor[remove]()}
	large := strings.Repeat("x", 1<<16)
	for _, test := range []struct {
		name      string
		bytes     int
		processes int
		minutes   int64
		idOf      func(i int) string
	}{
		{"a million processes", 0, 1_000_000, 1, strconv.Itoa},
		{"few bytes", minutes.LeastBytes, 20_000, 3, strconv.Itoa},
		{"one process", minutes.LeastBytes, 1, 120, strconv.Itoa},
		{"long IDs", minutes.LeastBytes, 3_000, 2, func(i int) string { return large[:i] + strconv.Itoa(i) }},
		{"IDs larger than the store", minutes.LeastBytes, 3, 2, func(i int) string { return strings.Repeat("y", minutes.LeastBytes+i) }},
		{"IDs that are parts of something large", 1 << 20, 1_000, 2, func(i int) string { return strings.Repeat("z", 1<<16+i)[1<<16-9:] }},
	} {
		t.Run(test.name, func(t *testing.T) {
			if testing.Short() {
				test.processes = min(test.processes, 100_000)
			}
			random := stattest.Seeded(t)
			before := inUse()
			s := minutes.New(test.bytes)
			first, now := clockOf(s)
			k := s.Kind("session", nameOf)
			var want minutes.Sums
			for at := first; at < first+test.minutes; at++ {
				now = max(now, s.EndOf(at-1))
				for i := range test.processes {
					id := test.idOf(i)
					for range 1 + i%2 {
						m := took(now, 1+random.Int64N(1000))
						m.Type, m.Sent = types[random.IntN(len(types))], now-random.Int64N(1000)
						add(k, id, m)
						want.Add(&minutes.Sums{
							Count: 1, Timed: 1, Busy: m.Ended - m.Begun, Waited: m.Begun - m.Sent,
							Longest: m.Ended - m.Begun, LongestWait: m.Begun - m.Sent,
						})
					}
				}
			}
			grown, usage := inUse()-before, s.Usage()
			t.Logf("%d bytes by the runtime; %+v", grown, usage)
			assert.LessOrEqual(t, grown, int64(usage.Most))
			assert.LessOrEqual(t, usage.Bytes, usage.Most)
			assert.LessOrEqual(t, usage.Most, max(test.bytes, minutes.DefaultBytes))
			if test.minutes <= minutes.Keep {
				require.Equal(t, want, everything(s, first, first+test.minutes))
			}
			runtime.KeepAlive(k)
		})
	}
}

// Processes of all sizes fill a store. The busy ones keep all their minutes, and the light
// ones only the last. The busy ones are so few that one shard has room for them all: which shard
// each comes into is random.
func TestBusyProcessesKeepTheirMinutes(t *testing.T) {
	const busyProcesses, lightProcesses, passed = 5, 5_000, 50
	s := minutes.New(1 << 20)
	first, _ := clockOf(s)
	guilds, sessions := s.Kind("guild", nameOf), s.Kind("session", nameOf)
	for at := first; at < first+passed; at++ {
		now := s.EndOf(at - 1)
		for i := range lightProcesses {
			add(sessions, strconv.Itoa(i), took(now+int64(i), 5_000))
			if i%(lightProcesses/busyProcesses) == 0 {
				id := strconv.Itoa(i)
				add(guilds, id, took(now+int64(i), 1_000), took(now+int64(i), 500_000_000))
			}
		}
	}
	for i := range busyProcesses {
		found := s.Minutes("guild", strconv.Itoa(i*(lightProcesses/busyProcesses)), 0)
		assert.Len(t, found, passed)
		for _, m := range found { // And each of them whole.
			require.Len(t, m.Rows, 1)
			assert.EqualValues(t, 2, m.Rows[0].Count)
		}
	}
	assert.Greater(t, len(ids(s, first+passed-1, first+passed-1)), 1_000, "many light ones are there for the last minute")
	old := 0
	s.Each("session", first, first+passed-10, func(string, string, []minutes.Row) { old++ })
	assert.Less(t, old, lightProcesses/100, "and hardly any of earlier ones")
}

// One process that does all there is to do takes no room that others need.
func TestOneHotProcessLeavesRoomForOthers(t *testing.T) {
	s := minutes.New(minutes.LeastBytes)
	first, _ := clockOf(s)
	named := ""
	k := s.Kind("guild", func(reflect.Type) string { return named })
	for at := first; at < first+minutes.Keep; at++ {
		now := s.EndOf(at - 1)
		for i := range minutes.MaxTypes {
			named = strconv.Itoa(i)
			m := took(now, 1e9)
			m.Type = reflect.ArrayOf(i, typeOfCreate)
			add(k, "hot", m)
		}
		for i := range 100 {
			add(k, strconv.Itoa(i), took(now, 1_000))
		}
	}
	last := first + minutes.Keep - 1
	assert.Len(t, ids(s, last, last), 101)
	assert.Less(t, len(s.Minutes("hot", "hot", 0)), minutes.Keep)
}

func TestWhatIsOlderThanAnHourGoes(t *testing.T) {
	s := minutes.New(0)
	first, now := clockOf(s)
	k := s.Kind("guild", nameOf)
	for i := range int64(minutes.Keep + 5) {
		add(k, "1", took(now+i*60e9, 1))
	}
	found := s.Minutes("guild", "1", 0)
	require.Len(t, found, minutes.Keep)
	assert.Equal(t, first+5, found[0].Minute)
	assert.Empty(t, s.Forgotten(0, first+100)["guild"], "it is no longer of interest")
}

// Readers and writers do not disturb each other, and nothing is lost.
func TestReadersAndWriters(t *testing.T) {
	const writers, each = 4, 20_000
	s := minutes.New(minutes.LeastBytes)
	minute, now := clockOf(s)
	k := s.Kind("session", nameOf)
	stop := make(chan struct{})
	var reading, writing sync.WaitGroup
	reading.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if sum := everything(s, minute, minute); sum.Count > writers*each {
				t.Error("more than there can be:", sum.Count)
			}
			s.Minutes("session", "7", 0)
			s.Usage()
		}
	})
	for range writers {
		writing.Go(func() {
			var b *minutes.Batch
			for i := range each {
				id := strconv.Itoa(rand.IntN(10_000))
				b = s.Kind("session", nameOf).Add(b, id, took(now, 1))
				if i%3 == 0 {
					k.Flush(b, id)
					b = nil
				}
				if b != nil { // A batch is of one process.
					k.Flush(b, id)
					b = nil
				}
			}
		})
	}
	writing.Wait()
	close(stop)
	reading.Wait()
	sum := everything(s, minute, minute)
	assert.EqualValues(t, writers*each, sum.Count)
	assert.EqualValues(t, writers*each, sum.Busy)
}
