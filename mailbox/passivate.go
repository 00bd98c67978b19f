// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/waybill-go/waybill/internal/clock"
	"github.com/waybill-go/waybill/mailbox/internal/scheduler"
)

// Passivate asks the process to give up its state as soon as it has nothing to do. The
// process then saves its state ([Instance]), and makes a new instance for the next
// message. Passivate does not block.
//
// The channel receives one value, when the outcome is known. You need not read it. A
// process that passivates itself must not wait for it.
//
// The value is nil once the state is saved and closed, or if there was no state. It wraps
// [ErrStopped] if the process takes no messages, or ended first. It wraps [ErrNotIdle] if
// the process has running timers that it set for itself, or callers whose answer it has
// left for later. It wraps [ErrConfig] if the process was spawned without a [Factory], which
// alone could make its state again. Otherwise it is the failure of Save, and the process
// goes on with the state it has.
func (r Ref[M]) Passivate() <-chan error {
	result := make(chan error, 1)
	p := r.p
	switch {
	case p == nil:
		result <- errZeroRef
		return result
	case p.factory == nil:
		result <- fmt.Errorf("%w: a process of kind %q without a Factory has no state to give up", ErrConfig, p.kind.name)
		return result
	}
	c := p.lock()
	if p.state.Load()&flagClosed != 0 {
		c.mu.Unlock()
		result <- p.named(ErrStopped)
		return result
	}
	c.passivations = append(c.passivations, result)
	c.mu.Unlock()
	if before := p.state.Or(flagBusy | flagRest); before&flagBusy == 0 {
		p.schedule()
	}
	return result
}

// passivateIfAsked passivates the process, which is the caller's, if it was asked to and
// there is nothing else to do.
func (p *process[M]) passivateIfAsked(t *turn) {
	if p.state.Load()&flagRest == 0 {
		return
	}
	p.writeTimes(t)
	t.now = 0 // It may take long.
	// What is expected no more is among the messages: so look for it first.
	expects := p.expects()
	if p.state.Load()&(flagMore|flagClosed|flagKilled) != 0 {
		return
	}
	p.state.And(^flagRest)
	var err error
	switch {
	case p.instance == nil:
	case expects:
		err = ErrNotIdle
	default:
		err = p.passivate()
	}
	p.tellPassivated(err)
}

// passivate has the process, which is the caller's, give up its instance.
func (p *process[M]) passivate() error {
	p.state.Or(flagTaken) // Who closes it sees that it is in the user's code.
	defer p.state.And(^flagTaken)
	if err := p.saveState(); err != nil {
		return err // It goes on with the state it has.
	}
	p.closeState()
	atomic.AddUint64(&p.kind.totals.own.Now.Passivated, 1)
	return nil
}

// tellPassivated tells those who asked for it how the passivation went.
func (p *process[M]) tellPassivated(err error) {
	if p.cold.Load() == nil {
		return
	}
	c := p.lock()
	asked := c.passivations
	c.passivations = nil
	c.mu.Unlock()
	if len(asked) > 0 && (err == ErrStopped || err == ErrNotIdle) { //nolint:errorlint // Our own, never wrapped.
		err = p.named(err)
	}
	for _, result := range asked {
		result <- err
	}
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
		if t.byInstance() {
			return true
		}
	}
	return false
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
		time.AfterFunc(max(k.idle/2, scheduler.Tick), k.sweep)
	}
}

// sweep has those passivated that have been idle for long.
func (k *Kind[M]) sweep() {
	w := &k.sweeper
	w.mu.Lock()
	awake := w.awake
	w.awake = nil
	w.mu.Unlock()

	before := clock.Now() - int64(k.idle)
	still := awake[:0]
	for _, p := range awake {
		if p.passivateIfIdle(before) {
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

// passivateIfIdle has an idle process passivated whose last message was sent before that.
// It reports whether to look at it again.
func (p *process[M]) passivateIfIdle(before int64) (again bool) {
	st := p.state.Load()
	switch {
	case st&flagEnded != 0:
		return false
	case st&(allFlags&^idleFlags) != 0, !p.state.CompareAndSwap(st, st|flagBusy):
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
