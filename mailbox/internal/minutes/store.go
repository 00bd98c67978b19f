// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package minutes

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/waybill-go/waybill/internal/clock"
	"github.com/waybill-go/waybill/internal/observe"
)

const (
	// Keep is the number of minutes that are kept at most, with the running one.
	Keep = 60

	// DefaultBytes is what a store may take by default.
	DefaultBytes = 16 << 20
	// LeastBytes is what a store may take at least.
	LeastBytes = 256 << 10

	maxShards  = 64
	leastShard = 64 << 10 // bytes
	minute     = int64(time.Minute)
)

// Store holds the records. Any number of goroutines may use it. Make one with [New].
type Store struct {
	bytes  int
	wall   int64 // what to add to a reading of package clock, for nanoseconds since 1970
	seed   maphash.Seed
	shards []shard
	pool   sync.Pool // of *Batch

	mu     sync.Mutex // before that of a series
	kinds  map[string]*Kind
	others *Kind
	room   int // how many more series there may be
}

// New returns an empty store that takes at most that many bytes: DefaultBytes if it
// is zero or less, and not less than LeastBytes.
func New(bytes int) *Store {
	if bytes <= 0 {
		bytes = DefaultBytes
	}
	bytes = max(bytes, LeastBytes)
	fixed := bytes / 16                     // The store itself, and the batches in use.
	forSeries := max(bytes/8, leastShard)   // Sums of what was forgotten.
	forRecords := bytes - fixed - forSeries // All the rest.
	shards := 1
	for shards < maxShards && forRecords/(2*shards) >= leastShard {
		shards *= 2
	}
	s := &Store{
		bytes: bytes, seed: maphash.MakeSeed(), shards: make([]shard, shards),
		wall: time.Now().UnixNano() - clock.Now(), kinds: make(map[string]*Kind), room: forSeries / seriesBytes,
	}
	for i := range s.shards {
		s.shards[i].most = forRecords / shards
	}
	s.pool.New = func() any { return new(Batch) }
	s.others = s.newKindLocked(observe.Others, nil)
	return s
}

// MinuteAt returns the minute of a reading of package clock, counted from 1970.
func (s *Store) MinuteAt(reading int64) int64 { return (reading + s.wall) / minute }

// endOf returns the reading at which a minute ends.
func (s *Store) endOf(m int64) int64 { return (m+1)*minute - s.wall }

// Now returns the running minute, and how much of it has passed.
func (s *Store) Now() (m int64, passed time.Duration) {
	now := clock.Now() + s.wall
	return now / minute, time.Duration(now % minute)
}

// Usage is how much a store holds.
type Usage struct {
	Bytes     int    // taken, by its own count
	Most      int    // that it may take
	Records   int    // kept: each is a process in a minute
	Forgotten uint64 // records that had to go
}

// Usage returns how much the store holds.
func (s *Store) Usage() Usage {
	u := Usage{Most: s.bytes, Bytes: s.bytes / 16}
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		u.Bytes += sh.used
		u.Records += len(sh.all)
		u.Forgotten += sh.forgotten
		sh.mu.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.kinds {
		u.Bytes += (1 + len(k.byName)) * seriesBytes
	}
	return u
}
