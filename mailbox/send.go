// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"container/list"
	"context"
	"time"
)

// send delivers s, waiting for room if the kind says so.
func (p *process[M]) send(ctx context.Context, s slot[M]) error {
	if p.state.claim() {
		p.slot = s
		p.schedule()
		return nil
	}
	c := p.lock()
	if p.kind.overflow == Wait && c.fullLocked(p.kind.capacity) && p.state.Load()&flagClosed == 0 {
		if self := processOf(ctx); self != owner(p) {
			return p.waitForRoom(ctx, c, self, s) // Unlocks.
		}
	}
	claimed, err := p.admitLocked(c, s) // Unlocks.
	if claimed {
		p.schedule()
	}
	return err
}

// offer delivers s without waiting. It reports whether it made the process busy
// with it, so that the caller must schedule it.
func (p *process[M]) offer(s slot[M]) (claimed bool, err error) {
	if p.state.claim() {
		p.slot = s
		return true, nil
	}
	return p.admitLocked(p.lock(), s) // Unlocks.
}

// schedule has the process run, which the caller has made busy.
func (p *process[M]) schedule() {
	if p.kind.own {
		go runAlone(p)
		return
	}
	p.kind.sys.sched.schedule(p)
}

// runAlone runs a process on a goroutine of its own until it is idle.
func runAlone(r runnable) {
	over := false
	defer func() {
		if !over { // A handler ended the goroutine.
			go runAlone(r)
		}
	}()
	for r.turn() {
	}
	over = true
}

// fullLocked reports whether there is no room for one more message. What is
// inline does not count, nor the message being handled.
func (c *cold[M]) fullLocked(capacity int) bool {
	return c.waiters.Len() > 0 || !c.roomLocked(capacity) // Those who wait were first.
}

func (c *cold[M]) roomLocked(capacity int) bool {
	if uint64(c.box.len)+c.batch < uint64(capacity) { //nolint:gosec // Never negative.
		return true // Without a look at what the worker is writing all the time.
	}
	inHand := int(c.inHand()) //nolint:gosec // Bounded by memory.
	return c.box.len+max(inHand-1, 0) < capacity
}

// admitLocked takes s in or refuses it, and unlocks c.mu. It reports whether it
// made the process busy with it.
func (p *process[M]) admitLocked(c *cold[M], s slot[M]) (claimed bool, err error) {
	st := p.state.Load()
	var dropped slot[M]
	drops := false
	switch {
	case st&flagClosed != 0:
		if st&flagEnded != 0 { // Its counts are with the system already.
			p.kind.sys.refusedAfter.Add(1)
		} else {
			c.refused.Stopped++
		}
		c.mu.Unlock()
		p.refused(s, ErrStopped)
		return false, ErrStopped
	case !c.fullLocked(p.kind.capacity):
	case p.kind.overflow == DropOldest && c.box.len > 0:
		dropped, drops = c.box.pop(), true
		deadDropped.count(&c.dead)
	default:
		c.refused.Full++
		c.mu.Unlock()
		p.refused(s, ErrFull)
		return false, ErrFull
	}
	if claimed = !p.state.keepBusy(); claimed {
		p.slot = s // It has become idle on the way.
	} else {
		c.box.push(s, &p.kind.rooms)
	}
	c.mu.Unlock()
	if drops {
		p.bury(dropped, deadDropped)
	}
	return claimed, nil
}

// waitForRoom queues the sender, whose process is self if it is a handler,
// behind a full box. c.mu must be held; it is unlocked here.
func (p *process[M]) waitForRoom(ctx context.Context, c *cold[M], self owner, s slot[M]) error {
	w := &waiter[M]{slot: s, result: make(chan error, 1)}
	place := c.waiters.PushBack(w)
	p.state.Or(flagWaiters)
	p.letInLocked(c) // The worker may have made room just before it could see the flag.
	c.mu.Unlock()

	var timeout <-chan time.Time
	if self != nil {
		self.yield()
		timer := time.NewTimer(p.kind.sys.handlerWait)
		defer timer.Stop()
		timeout = timer.C
	}
	var err error
	select {
	case err = <-w.result:
	case <-ctx.Done():
		err = p.giveUp(w, place, ctx.Err())
	case <-timeout:
		err = p.giveUp(w, place, ErrFull)
	}
	if err != nil {
		p.refused(s, err)
	}
	return err
}

// giveUp takes w out of the queue, unless its fate was decided meanwhile.
func (p *process[M]) giveUp(w *waiter[M], place *list.Element, err error) error {
	c := p.lock()
	defer c.mu.Unlock()
	select {
	case decided := <-w.result:
		return decided
	default:
	}
	c.waiters.Remove(place)
	if c.waiters.Len() == 0 {
		p.state.And(^flagWaiters)
	}
	if err == ErrFull { //nolint:errorlint // Our own, never wrapped.
		c.refused.Full++
	} else {
		c.refused.Cancelled++
	}
	return err
}

// letInLocked moves waiting senders' messages into the box of a process that is
// being run, as far as there is room.
func (p *process[M]) letInLocked(c *cold[M]) {
	if p.state.Load()&flagWaiters == 0 {
		return
	}
	for c.waiters.Len() > 0 && c.roomLocked(p.kind.capacity) {
		w := c.waiters.Remove(c.waiters.Front()).(*waiter[M]) //nolint:forcetypeassert // The list holds nothing else.
		c.box.push(w.slot, &p.kind.rooms)
		w.result <- nil
	}
	if c.waiters.Len() == 0 {
		p.state.And(^flagWaiters)
	}
	p.state.Or(flagMore)
}
