// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package traces

import "math/bits"

const (
	// slowOneIn is the share of the traces of a name that may be slow: one in so many. Nothing
	// is slow before there were as many.
	slowOneIn = 50
	// mostNames is how many names are told apart. That which was not used for longest is
	// forgotten.
	mostNames = 256
	// mostCounted is how many durations of a name count. When there are more, all lose half of
	// their weight.
	mostCounted = 4096
	// perLimit is how many durations are counted before the limit is found again.
	perLimit = 16

	// Durations are counted in buckets, four to a factor of two, from about a microsecond to
	// about a minute.
	shortest   = 10 // 2 to that power, in nanoseconds
	octaves    = 26
	perOctave  = 4
	allBuckets = octaves * perOctave
)

// durations knows how long the traces of each name took.
type durations struct {
	byName map[string]*spread
	places [mostNames]spread
	used   int
	clock  uint64
}

// spread has the durations of the traces of one name.
type spread struct {
	name    string
	last    uint64 // when it was used last
	life    uint32 // how many names have had its place
	counts  uint32
	total   int
	limit   int // durations in this bucket and later ones are slow
	buckets [allBuckets]uint16
}

// counted says where the duration of a trace is counted: nowhere if spread is nil.
type counted struct {
	spread *spread
	life   uint32
	bucket int
}

func newDurations() *durations { return &durations{byName: make(map[string]*spread, mostNames)} }

// slow counts how long t, whose head has changed if renamed is true, has taken so far. It
// reports whether that is longer than most traces of that name take.
func (d *durations) slow(t *kept, renamed bool) bool {
	bucket := bucketOf(int64(t.duration()))
	at := t.counted
	if !renamed && at.spread != nil && at.bucket == bucket {
		return bucket >= at.spread.limit
	}
	if at.spread != nil && at.spread.life == at.life {
		at.spread.discount(at.bucket)
	}
	s := at.spread
	if renamed || s == nil || s.life != at.life {
		s = d.find(cut(t.head.Name()))
	}
	s.count(bucket)
	t.counted = counted{s, s.life, bucket}
	return bucket >= s.limit
}

// find returns the durations of a name.
func (d *durations) find(name string) *spread {
	d.clock++
	s := d.byName[name]
	if s == nil {
		s = d.place()
		if s.life > 0 { // The name of a place that was never used is that of nobody.
			delete(d.byName, s.name)
		}
		*s = spread{name: name, life: s.life + 1, limit: allBuckets}
		d.byName[name] = s
	}
	s.last = d.clock
	return s
}

// place returns a place for a new name.
func (d *durations) place() *spread {
	if d.used < mostNames {
		d.used++
		return &d.places[d.used-1]
	}
	oldest := &d.places[0]
	for i := range d.places {
		if d.places[i].last < oldest.last {
			oldest = &d.places[i]
		}
	}
	return oldest
}

// count counts a duration.
func (s *spread) count(bucket int) {
	if s.total >= mostCounted {
		s.total = 0
		for i := range s.buckets {
			s.buckets[i] /= 2
			s.total += int(s.buckets[i])
		}
	}
	s.buckets[bucket]++
	s.total++
	if s.counts++; s.counts%perLimit == 0 {
		s.findLimit()
	}
}

// discount takes a duration back.
func (s *spread) discount(bucket int) {
	if s.buckets[bucket] > 0 { // It may have lost its weight.
		s.buckets[bucket]--
		s.total--
	}
}

// findLimit finds the first bucket from which on there is at most one trace in slowOneIn.
func (s *spread) findLimit() {
	s.limit = allBuckets
	if s.total < slowOneIn {
		return
	}
	for n := 0; s.limit > 0; s.limit-- {
		if n += int(s.buckets[s.limit-1]); n*slowOneIn > s.total {
			return
		}
	}
}

// bucketOf returns the bucket of a duration in nanoseconds.
func bucketOf(d int64) int {
	n := uint64(max(d, 1<<shortest))
	octave := bits.Len64(n) - 1
	quarter := n >> (octave - 2) & (perOctave - 1)
	return min((octave-shortest)*perOctave+int(quarter), allBuckets-1)
}
