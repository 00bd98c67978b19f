// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"sync"
	"time"
)

// Passivate asks the process to give up its state as soon as it has nothing to
// do: it saves it ([Instance]), and starts again with the next message. It
// reports whether the process can: it must have been made from a [Factory], and
// take messages. Passivate does not block. A process is not passivated while timers
// run that it has set for itself, or callers wait for an answer that it has left
// for later. One that ends instead is not saved.
func (r Ref[M]) Passivate() bool {
	p := r.p
	if p == nil || p.factory == nil {
		return false
	}
	for {
		st := p.state.Load()
		switch {
		case st&flagClosed != 0:
			return false
		case !p.state.CompareAndSwap(st, st|flagBusy|flagRest):
		default:
			if st&flagBusy == 0 {
				p.schedule()
			}
			return true
		}
	}
}

// rest passivates the process, which is the caller's, if it was asked to and
// there is nothing else to do.
func (p *process[M]) rest() {
	if p.state.Load()&flagRest == 0 {
		return
	}
	// What is expected no more is among the messages: so look for it first.
	needless := p.handler == nil || p.expects()
	if p.state.Load()&(flagMore|flagClosed|flagKilled) != 0 {
		return
	}
	p.state.And(^flagRest)
	if needless {
		return
	}
	p.state.Or(flagTaken) // Who closes it sees that it is in the user's code.
	if p.saveState() {    // Else it goes on with the state it has.
		p.closeState()
		p.kind.totals.passivated.Add(1)
	}
	p.state.And(^flagTaken)
}

// expects reports whether the process has left something for later: timers that
// it has set itself, or calls that it has yet to answer.
func (p *process[M]) expects() bool {
	if p.cold.Load() == nil {
		return false
	}
	c := p.lock()
	defer c.mu.Unlock()
	if len(c.open) > 0 {
		return true
	}
	for t := range c.timers {
		if t.own {
			return true
		}
	}
	return false
}

// sweeper looks for idle processes of a kind.
type sweeper[M any] struct {
	mu    sync.Mutex
	awake []*process[M] // those that have an instance, and some that had
	armed bool
}

// list has the process, which is the caller's, looked at now and then.
func (k *Kind[M]) list(p *process[M]) {
	if k.idle <= 0 || p.state.Load()&flagListed != 0 {
		return
	}
	p.state.Or(flagListed)
	w := &k.sweeper
	w.mu.Lock()
	defer w.mu.Unlock()
	w.awake = append(w.awake, p)
	k.armLocked()
}

func (k *Kind[M]) armLocked() {
	if w := &k.sweeper; !w.armed && len(w.awake) > 0 {
		w.armed = true
		time.AfterFunc(max(k.idle/2, tick), k.sweep)
	}
}

// sweep has those passivated that have been idle for long.
func (k *Kind[M]) sweep() {
	w := &k.sweeper
	w.mu.Lock()
	awake := w.awake
	w.awake = nil
	w.mu.Unlock()

	before := exactly() - int64(k.idle)
	still := awake[:0]
	for _, p := range awake {
		if p.tire(before) {
			still = append(still, p)
		}
	}
	clear(awake[len(still):])

	w.mu.Lock()
	defer w.mu.Unlock()
	w.awake = append(still, w.awake...)
	w.armed = false
	k.armLocked()
}

// tire has an idle process passivated whose last message was sent before that.
// It reports whether to look at it again.
func (p *process[M]) tire(before int64) (again bool) {
	st := p.state.Load()
	switch {
	case st&flagEnded != 0:
		return false
	case st&(flags&^idleFlags) != 0, !p.state.CompareAndSwap(st, st|flagBusy):
		return true // It has something to do.
	}
	again = p.handler != nil
	switch {
	case !again:
		p.state.And(^flagListed)
	case p.lastSent() < before:
		p.state.Or(flagRest)
	}
	if !p.state.release() {
		p.schedule()
	}
	return again
}

// lastSent returns when the last message was sent that the process took in hand,
// which is the caller's. A time of 0 is none: those of simulated clocks are below.
func (p *process[M]) lastSent() int64 {
	last := p.slot.sent
	if c := p.cold.Load(); c != nil && c.sent != 0 && (last == 0 || last < c.sent) {
		last = c.sent
	}
	return last
}
