// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"runtime"
	"sync/atomic"
)

// A process's state is one word: flags below, above them the number of messages
// that it is done with, but for those from the batch in hand. So the end of a
// handling, the count of it and the step to idleness are one atomic operation.
//
// An idle process is claimed by the atomic operation that sets flagBusy: by a sender, by
// whoever closes it, or by whoever has it passivated. The claimer sees that the flag was
// not set before, and must have the process run. All other flags but flagRest are
// changed by whoever runs the process or holds its lock; those marked L need both, or
// the lock while nobody runs it. Nobody looks at flagPinned but those who would write the slot.
const (
	flagBusy    uint64 = 1 << iota // somebody looks after it: its claimer, the scheduler, a worker
	flagInline                     // there is an inline message: in slot, or taken from it
	flagTaken                      // the inline message is in hand, or Save runs
	flagMore                       // there is something behind the lock (set under it)
	flagWaiters                    // senders wait for room (set under the lock)
	flagClosed                     // takes no more messages (set under the lock)
	flagKilled                     // handles no more (set under the lock)
	flagEnded                      // L
	flagRest                       // is to be passivated when it has nothing to do (set by anybody)
	flagListed                     // its kind looks now and then whether it is idle
	flagNamed                      // its kind finds it by its ID (from the beginning)
	flagPinned                     // somebody reads the slot: no sender may write it (set by anybody)

	doneShift = 12
	oneDone   = 1 << doneShift
	allFlags  = oneDone - 1
	idleFlags = flagListed | flagNamed // that an idle process may have
)

type state struct{ atomic.Uint64 }

// claim makes an idle process busy, with a message inline.
func (s *state) claim() bool {
	st := s.Load()
	return st&(allFlags&^idleFlags) == 0 && s.CompareAndSwap(st, st|flagBusy|flagInline)
}

// claimOrYield is claim, and lets others run if somebody reads the slot.
func (s *state) claimOrYield() bool {
	if s.claim() {
		return true
	}
	if s.Load()&flagPinned != 0 {
		runtime.Gosched() // The reader is about to let go.
	}
	return false
}

// takeInline takes the inline message in hand if there is one, unless the
// process was killed.
func (s *state) takeInline() bool {
	for {
		st := s.Load()
		if st&(flagInline|flagTaken|flagKilled) != flagInline {
			return false
		}
		if s.CompareAndSwap(st, st|flagTaken) {
			return true
		}
	}
}

// doneInline counts the inline message as done. The process becomes idle, and
// is no longer the caller's, unless there is more for it.
func (s *state) doneInline() (idle bool) {
	for {
		st := s.Load()
		next := st + oneDone
		if st&(flagMore|flagClosed|flagKilled|flagRest) == 0 {
			next &^= flagBusy | flagInline | flagTaken
		} else {
			next &^= flagInline | flagTaken
		}
		if s.CompareAndSwap(st, next) {
			return next&flagBusy == 0
		}
	}
}

// release makes a process idle that is busy with nothing in hand, and is no
// longer the caller's then; unless there is more for it.
func (s *state) release() (idle bool) {
	for {
		st := s.Load()
		if st&(flagMore|flagClosed|flagKilled|flagRest) != 0 {
			return false
		}
		if s.CompareAndSwap(st, st&^flagBusy) {
			return true
		}
	}
}

// keepBusy tells the worker of a busy process to look behind the lock before it
// goes, which the caller must hold. It reports false if the process was idle,
// and then has claimed it.
func (s *state) keepBusy() bool {
	for {
		st := s.Load()
		switch {
		case st&flagBusy == 0:
			if s.claimOrYield() {
				return false
			}
		case st&flagMore != 0, s.CompareAndSwap(st, st|flagMore):
			return true
		}
	}
}

// pin keeps the slot as it is until unpin, if the inline message is in hand. Otherwise it
// reports false. One goroutine at a time may use it.
func (s *state) pin() bool {
	for {
		st := s.Load()
		if st&(flagInline|flagTaken) != flagInline|flagTaken {
			return false // A sender may be writing it.
		}
		if s.CompareAndSwap(st, st|flagPinned) {
			return true
		}
	}
}

func (s *state) unpin() { s.And(^flagPinned) }

// doneCount returns how many messages the process is done with.
func doneCount(st uint64) uint64 { return st >> doneShift }

// progress is how far a worker has come with the messages in hand: the number
// done with, above two flags. Only the worker moves it, on a line of its own, but
// for the flag that stops it.
type progress struct{ atomic.Uint64 }

const (
	progressTaken   uint64 = 1 // a message is being handled
	progressStopped uint64 = 2 // no more will be
	progressOne     uint64 = 4
)

// take marks the next message as being handled, unless that was stopped.
func (p *progress) take() bool {
	for {
		now := p.Load()
		if now&progressStopped != 0 {
			return false
		}
		if p.CompareAndSwap(now, now|progressTaken) {
			return true
		}
	}
}

// finish counts the message being handled as done with.
func (p *progress) finish() { p.Add(progressOne - progressTaken) }

// advance is finish and take in one step.
func (p *progress) advance() bool {
	if p.Add(progressOne)&progressStopped == 0 {
		return true
	}
	p.And(^progressTaken)
	return false
}

// done returns how many messages are done with.
func (p *progress) done() uint64 { return p.Load() / progressOne }
