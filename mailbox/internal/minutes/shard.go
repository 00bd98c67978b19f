// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package minutes

import (
	"math/rand/v2"
	"strings"
	"sync"
	"unsafe"
)

const (
	// maxTypes is how many types of messages a record has by name, with that of the others.
	maxTypes = 16
	// looks is among how many records those to forget are chosen.
	looks = 64
	// processShare is the part of a shard's bytes that one process may have.
	processShare = 4
)

// shard has the records of a part of the processes. All minutes of a process are in the
// same bucket.
type shard struct {
	mu        sync.Mutex // before that of a series
	buckets   []*record  // nil while there was no record; their number is a power of 2
	all       []*record  // with room for all that there can be
	used      int        // bytes
	most      int        // bytes
	forgotten uint64

	_ [64]byte // So that the next shard's lock is in another cache line.
}

// key is a process.
type key struct {
	kind *Kind
	id   string
	hash uint64
}

// record is a process in a minute.
type record struct {
	key

	minute int64
	busy   int64   // the sum of its rows
	before int64   // busy of the minute before
	rows   []row   // in the order in which their types came
	next   *record // in the bucket
	at     int     // in all
}

type row struct {
	series *series
	sums   Sums
}

// add adds rows to the record of p in a minute.
func (s *shard) add(p *key, minute int64, rows []row) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.find(p, minute)
	if r == nil {
		r = s.insert(p, minute)
	}
	for i := range rows {
		from := &rows[i]
		if r == nil || !s.addTo(r, from) {
			from.series.forget(minute, &from.sums)
		}
	}
}

func (s *shard) find(p *key, minute int64) *record {
	if s.buckets == nil {
		return nil
	}
	for r := *s.bucket(p.hash); r != nil; r = r.next {
		if r.minute == minute && r.is(p) {
			return r
		}
	}
	return nil
}

func (r *record) is(p *key) bool { return r.hash == p.hash && r.kind == p.kind && r.id == p.id }

// bucket returns that of a hash. It must not use the bits that choose the shard.
func (s *shard) bucket(hash uint64) **record {
	return &s.buckets[hash&uint64(len(s.buckets)-1)] //nolint:gosec // A length, and a power of 2.
}

// insert makes a record. It returns nil if there is no room for it.
func (s *shard) insert(p *key, minute int64) *record {
	if s.buckets == nil {
		s.open()
	}
	r := &record{key: *p, minute: minute}
	r.id = ""
	own := recordBytes + charged(len(p.id))
	if !s.limit(p, r, own) || !s.makeRoom(own, nil, minute) {
		return nil
	}
	if r.id == "" {
		r.id = strings.Clone(p.id) // It may be a part of something large.
	}
	bucket := s.bucket(p.hash)
	r.next, *bucket = *bucket, r
	r.at = len(s.all)
	s.all = append(s.all, r)
	s.used += own
	return r
}

// open makes room for the first record.
func (s *shard) open() {
	n := 1
	for n*256 < s.most {
		n *= 2
	}
	s.buckets = make([]*record, n)
	s.all = make([]*record, 0, s.most/(recordBytes+rowBytes(1)))
	s.used = placeBytes * (n + cap(s.all))
}

// limit has the process of a new record forget its oldest minutes if it has too much. It
// reports false if that does not help. The record gets what it shares with the minute
// before.
func (s *shard) limit(p *key, r *record, own int) bool {
	for {
		var oldest *record
		bytes := own
		for other := *s.bucket(p.hash); other != nil; other = other.next {
			if !other.is(p) {
				continue
			}
			bytes += other.bytes()
			if oldest == nil || other.minute < oldest.minute {
				oldest = other
			}
			if other.minute == r.minute-1 {
				r.before = other.busy
			}
			r.id = other.id
		}
		switch {
		case oldest != nil && (r.minute-oldest.minute >= Keep || bytes > s.most/processShare):
			s.forget(oldest, r.minute)
		default:
			return bytes <= s.most/processShare
		}
	}
}

// addTo adds a row to r. It reports false if there is no room for it.
func (s *shard) addTo(r *record, from *row) bool {
	series := from.series
	for {
		for i := range r.rows {
			if to := &r.rows[i]; to.series == series {
				to.sums.Add(&from.sums)
				r.busy += from.sums.Busy
				return true
			}
		}
		if series == r.kind.others || len(r.rows) < maxTypes-1 {
			break
		}
		series = r.kind.others
	}
	if len(r.rows) == cap(r.rows) {
		grown := max(2*cap(r.rows), 1)
		more := rowBytes(grown) - rowBytes(cap(r.rows))
		if !s.makeRoom(more, r, r.minute) {
			return false
		}
		s.used += more
		r.rows = append(make([]row, 0, grown), r.rows...)
	}
	r.rows = append(r.rows, row{series, from.sums})
	r.busy += from.sums.Busy
	return true
}

// makeRoom forgets records, but not keep, until there is room for more bytes. It reports
// false if there is none left to forget.
func (s *shard) makeRoom(more int, keep *record, now int64) bool {
	for s.used+more > s.most {
		light := s.lightest(keep, now)
		if light.n == 0 {
			return false
		}
		for _, c := range light.found[:light.n] {
			s.forget(c.record, now)
		}
	}
	return true
}

// lightest returns records that matter least, among some that are chosen at random. With
// one at a time, what is heavy would go too often: it would be enough that all
// that were looked at are heavy.
func (s *shard) lightest(keep *record, now int64) (light candidates) {
	n := len(s.all)
	light.most = min(1+n/looks, len(light.found))
	for i := range min(n, looks) {
		if n > looks {
			i = rand.IntN(n)
		}
		if r := s.all[i]; r != keep {
			light.add(r, r.score(now))
		}
	}
	return light
}

// candidates are records to forget, the one that matters least first.
type candidates struct {
	n, most int
	found   [16]candidate
}

type candidate struct {
	record *record
	score  float64
}

func (c *candidates) add(r *record, score float64) {
	at := 0
	for i := range c.found[:c.n] {
		if c.found[i].record == r {
			return // It came up before.
		}
		if c.found[i].score <= score {
			at = i + 1
		}
	}
	if at == c.most {
		return
	}
	c.n = min(c.n+1, c.most)
	copy(c.found[at+1:c.n], c.found[at:])
	c.found[at] = candidate{r, score}
}

// score is how much a record matters: its busy time, by the square of its age. So the
// busiest processes keep their minutes for an hour, even if light ones fill the store. A
// record of the running minute matters as much as the minute before did, because its own
// time has only begun.
func (r *record) score(now int64) float64 {
	age := now - r.minute
	if age >= Keep {
		return -1
	}
	busy := r.busy
	if age <= 0 {
		busy, age = max(busy, r.before), 0
	}
	return float64(busy) / float64((age+1)*(age+1))
}

// forget takes r out, and adds what it says to the sums of what was forgotten.
func (s *shard) forget(r *record, now int64) {
	at := s.bucket(r.hash)
	for *at != r {
		at = &(*at).next
	}
	*at = r.next
	last := len(s.all) - 1
	s.all[r.at] = s.all[last]
	s.all[r.at].at = r.at
	s.all[last] = nil
	s.all = s.all[:last]
	s.used -= r.bytes()
	s.forgotten++
	if now-r.minute >= Keep {
		return
	}
	for i := range r.rows {
		r.rows[i].series.forget(r.minute, &r.rows[i].sums)
	}
}

// placeBytes is what the place of a record takes, and recordBytes what a record takes
// without rows and ID.
const placeBytes = int(unsafe.Sizeof((*record)(nil)))

var recordBytes = charged(int(unsafe.Sizeof(record{})))

func (r *record) bytes() int { return recordBytes + charged(len(r.id)) + rowBytes(cap(r.rows)) }

func rowBytes(n int) int { return charged(n * int(unsafe.Sizeof(row{}))) }

// charged is at least what the runtime takes for an object of that many bytes: it rounds
// up to 16 bytes, and larger ones by an eighth at most.
func charged(bytes int) int {
	if bytes > 256 { //nolint:mnd // As it says.
		bytes += bytes / 8
	}
	return (bytes + 15) &^ 15
}
