// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"container/list"
	"sync"
)

// process is a mailbox and who empties it. While there is something to handle,
// and only then, one goroutine runs it (run.go). Everything below mu is
// guarded by it; a system's mu is taken before, a group's after it.
type process[M any] struct {
	kind    *Kind[M]
	id      string
	handler Handler[M]
	ctx     processContext
	system  memberLinks // guarded by the system's mu
	hand    hand[M]     // of the running goroutine

	mu      sync.Mutex
	box     ring[M]
	waiters *list.List // of *waiter[M]; when there are any, the box is full
	n       Stats
	running bool
	busy    bool // a message is in hand
	closed  bool // takes no more messages
	killed  bool // handles no more either
	ended   bool
	err     error
	done    chan struct{}
	groups  []leaver[M]
}

// waiter is a sender that waits for room.
type waiter[M any] struct {
	slot   slot[M]
	result chan error // holds one
}

// leaver is a group that must hear of a member's end.
type leaver[M any] interface{ drop(p *process[M]) }

func (p *process[M]) links() *memberLinks { return &p.system }

func (p *process[M]) counts() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.countsLocked()
}

func (p *process[M]) countsLocked() Stats {
	n := p.n
	n.Queued = uint64(p.box.len) //nolint:gosec // A length.
	if p.busy {
		n.Queued++
	}
	if p.waiters != nil {
		n.Waiting = uint64(p.waiters.Len()) //nolint:gosec // A length.
	}
	return n
}

// close stops the intake, and with kill the handling too, and ends the process
// if nobody runs it. It reports what there was at that moment: whether a message
// was in hand, and how many were in the box.
func (p *process[M]) close(kill bool) (busy bool, waiting int) {
	p.mu.Lock()
	p.closeLocked(kill)
	busy, waiting = p.busy, p.box.len
	mustEnd := !p.running && !p.ended
	p.mu.Unlock()
	if kill {
		p.ctx.end()
	}
	if mustEnd {
		p.end(nil)
	}
	return busy, waiting
}

func (p *process[M]) closeLocked(kill bool) {
	p.closed = true
	p.killed = p.killed || kill
	if p.waiters == nil {
		return
	}
	for e := p.waiters.Front(); e != nil; e = e.Next() {
		p.n.Refused.Stopped++
		e.Value.(*waiter[M]).result <- ErrStopped //nolint:forcetypeassert // The list holds nothing else.
	}
	p.waiters = nil
}

// end retires a closed process that nobody runs. What is left in the box
// becomes dead letters.
func (p *process[M]) end(cause error) {
	sys := p.kind.sys
	sys.mu.Lock()
	p.mu.Lock()
	if p.ended {
		p.mu.Unlock()
		sys.mu.Unlock()
		return
	}
	reason := deadStopped
	if cause != nil {
		reason = deadFailed
	}
	left := p.box.drain()
	for range left {
		reason.count(&p.n.DeadLetters)
	}
	p.ended, p.err = true, cause
	groups := p.groups
	p.groups = nil
	sys.removeLocked(p, p.countsLocked())
	p.mu.Unlock()
	sys.mu.Unlock()

	p.ctx.end()
	for _, g := range groups {
		g.drop(p)
	}
	for _, s := range left {
		p.bury(s, reason)
	}
	close(p.doneChannel())
}

// doneChannel returns the channel that is closed after the process's end,
// made when it is first needed.
func (p *process[M]) doneChannel() chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done == nil {
		p.done = make(chan struct{})
	}
	return p.done
}

// Done implements [Ref.Done].
func (p *process[M]) Done() <-chan struct{} { return p.doneChannel() }
