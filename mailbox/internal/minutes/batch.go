// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package minutes

import (
	"hash/maphash"
	"reflect"
	"time"
)

const (
	// batchRows is how many types of messages a batch has at once.
	batchRows = 4
	// batchTime is how long a batch may keep to itself what it has.
	batchTime = int64(100 * time.Millisecond)
)

// Batch gathers what a process handles in a row, so that its record is looked for only
// once. All of it is in one minute.
type Batch struct {
	minute int64
	ends   int64 // the reading at which the minute ends
	first  int64 // when the first message was begun
	n      int   // rows in use
	rows   [batchRows]batchRow
}

type batchRow struct {
	typ  reflect.Type
	sums Sums
}

// Message is one message that was handled. Times are readings of package clock.
type Message struct {
	Type               reflect.Type
	Sent, Begun, Ended int64
	Weight             uint32 // how many messages it stands for
}

// Add adds a message that the process of that ID has handled to b, and returns b. If b is
// nil, it takes an empty one; the caller must Flush it.
func (k *Kind) Add(b *Batch, id string, m *Message) *Batch {
	if b == nil {
		b = k.store.pool.Get().(*Batch) //nolint:forcetypeassert // The pool holds nothing else.
	}
	if b.n == 0 {
		b.first = m.Begun
		b.minute = k.store.MinuteAt(m.Begun)
		b.ends = k.store.endOf(b.minute)
	}
	if m.Ended > b.ends {
		k.write(b, id)
		k.split(id, m)
		return b
	}
	row := b.row(m.Type)
	if row == nil {
		k.write(b, id)
		b.first = m.Begun
		row = b.row(m.Type)
	}
	row.sums.add(m.Ended-m.Begun, max(m.Begun-m.Sent, 0), m.Weight)
	if m.Ended-b.first > batchTime {
		k.write(b, id)
	}
	return b
}

// Flush writes what is in b, and takes b back.
func (k *Kind) Flush(b *Batch, id string) {
	k.write(b, id)
	k.store.pool.Put(b)
}

// row returns the row of a type; nil if there is no room for one.
func (b *Batch) row(t reflect.Type) *batchRow {
	for i := range b.rows[:b.n] {
		if row := &b.rows[i]; row.typ == t {
			return row
		}
	}
	if b.n == batchRows {
		return nil
	}
	row := &b.rows[b.n]
	*row = batchRow{typ: t}
	b.n++
	return row
}

// write writes what is in b, which is empty then.
func (k *Kind) write(b *Batch, id string) {
	if b.n == 0 {
		return
	}
	var rows [batchRows]row
	for i := range b.rows[:b.n] {
		from := &b.rows[i]
		rows[i] = row{k.series(from.typ), from.sums}
		from.typ = nil
	}
	k.record(id, b.minute, rows[:b.n])
	b.n = 0
}

// split writes a message whose handling went on into another minute. Each minute gets the
// time that was spent in it. The last one gets everything else.
func (k *Kind) split(id string, m *Message) {
	rows := []row{{series: k.series(m.Type)}}
	sums := &rows[0].sums
	begun, last := m.Begun, k.store.MinuteAt(m.Ended-1)
	for at := max(k.store.MinuteAt(begun), last-Keep+1); at < last; at++ {
		begun = max(begun, k.store.endOf(at-1))
		ends := k.store.endOf(at)
		*sums = Sums{Busy: (ends - begun) * int64(m.Weight)}
		k.record(id, at, rows)
		begun = ends
	}
	*sums = Sums{}
	sums.add(m.Ended-m.Begun, max(m.Begun-m.Sent, 0), m.Weight)
	sums.Busy = (m.Ended - begun) * int64(m.Weight)
	k.record(id, last, rows)
}

// record adds rows to the record of a process in a minute.
func (k *Kind) record(id string, minute int64, rows []row) {
	p := key{k, id, maphash.String(k.store.seed, id) ^ k.salt}
	k.store.shardOf(p.hash).add(&p, minute, rows)
}

func (s *Store) shardOf(hash uint64) *shard {
	return &s.shards[hash>>32&uint64(len(s.shards)-1)] //nolint:gosec // A length, and a power of 2.
}
