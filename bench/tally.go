// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import "sync/atomic"

// tally counts the messages that one handler handles, one at a time, and tells when a
// batch is complete. It needs no atomics: what the sender did happens before the
// handling of its message, and what the handler did happens before the receive from
// done.
type tally struct {
	n, target int
	done      chan struct{}
	_         [40]byte // So that n has a cache line of its own, without anything that a sender reads.
}

func newTally() *tally { return &tally{done: make(chan struct{}, 1)} }

// expect sets how many more messages will come. It must not be called during a batch.
func (t *tally) expect(more int) { t.target = t.n + more }

// take counts a message.
func (t *tally) take() {
	t.n++
	if t.n == t.target {
		t.done <- struct{}{}
	}
}

// wait waits for the last expected message.
func (t *tally) wait() { <-t.done }

// handled returns the number of messages handled. It must not be called during a batch.
func (t *tally) handled() int { return t.n }

// latch counts the messages of many handlers that work at the same time, one message
// each, and tells when all have handled theirs. Handlers count in shards, because a
// single counter that all processors write would cost more than what is measured.
type latch struct {
	shards []shard
	left   atomic.Int64 // shards that are not complete
	done   chan struct{}
}

type shard struct {
	left   atomic.Int64 // handlers that have not handled their message
	size   int64
	rounds atomic.Int64
	latch  *latch
	_      [32]byte // So that each shard has a cache line of its own.
}

// shardSize is how many neighbours share a counter.
const shardSize = 64

// newLatch makes a latch for a number of handlers.
func newLatch(handlers int) *latch {
	l := &latch{shards: make([]shard, (handlers+shardSize-1)/shardSize), done: make(chan struct{}, 1)}
	l.left.Store(int64(len(l.shards)))
	for i := range l.shards {
		s := &l.shards[i]
		s.latch, s.size = l, int64(min(shardSize, handlers-i*shardSize))
		s.left.Store(s.size)
	}
	return l
}

// of returns the shard in which the handler at this position counts.
func (l *latch) of(position int) *shard { return &l.shards[position/shardSize] }

// take counts a message. The last message of a shard resets the shard.
func (s *shard) take() {
	if s.left.Add(-1) != 0 {
		return
	}
	s.left.Store(s.size)
	s.rounds.Add(1)
	if l := s.latch; l.left.Add(-1) == 0 {
		l.left.Store(int64(len(l.shards)))
		l.done <- struct{}{}
	}
}

// wait waits until every handler has handled a message.
func (l *latch) wait() { <-l.done }

// handled returns the number of messages handled.
func (l *latch) handled() int {
	var n int64
	for i := range l.shards {
		s := &l.shards[i]
		n += s.rounds.Load()*s.size + s.size - s.left.Load()
	}
	return int(n)
}
