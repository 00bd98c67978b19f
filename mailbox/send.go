// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"container/list"
	"context"
	"sync/atomic"
	"time"

	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/mailbox/internal/contexts"
	"github.com/waybill-go/waybill/mailbox/internal/scheduler"
)

// send delivers s, waiting for room if the kind says so.
func (p *process[M]) send(ctx context.Context, s *slot[M]) error {
	if p.state.claim() {
		p.slot = *s
		p.schedule()
		return nil
	}
	c := p.lock()
	st := p.state.Load()
	var claimed bool
	var err error
	switch {
	case st&(flagClosed|flagWaiters) == 0 && c.roomLocked(p.kind.capacity):
		claimed = p.acceptLocked(c, s)
		c.mu.Unlock()
	case st&flagClosed == 0 && p.kind.overflow == Wait && !p.isOwner(ctx):
		return p.waitForRoom(ctx, c, s) // Unlocks.
	default:
		claimed, err = p.refuseLocked(c, s, st) // Unlocks.
	}
	if claimed {
		p.schedule()
	}
	return err
}

// offer delivers s without waiting. It reports whether it made the process busy
// with it, so that the caller must schedule it.
func (p *process[M]) offer(s *slot[M]) (claimed bool, err error) {
	if p.state.claim() {
		p.slot = *s
		return true, nil
	}
	c := p.lock()
	st := p.state.Load()
	// Where senders wait for room, they were first.
	if st&(flagClosed|flagWaiters) != 0 || !c.roomLocked(p.kind.capacity) {
		return p.refuseLocked(c, s, st) // Unlocks.
	}
	claimed = p.acceptLocked(c, s)
	c.mu.Unlock()
	return claimed, nil
}

// force delivers s even to a full mailbox.
func (p *process[M]) force(s *slot[M]) {
	c := p.lock()
	st := p.state.Load()
	if st&flagClosed != 0 {
		_, _ = p.refuseLocked(c, s, st) // Unlocks.
		return
	}
	claimed := p.acceptLocked(c, s)
	c.mu.Unlock()
	if claimed {
		p.schedule()
	}
}

// schedule has the process run, which the caller has made busy.
func (p *process[M]) schedule() {
	if p.kind.own {
		go runAlone(p)
		return
	}
	p.kind.sys.sched.Schedule(p)
}

// runAlone runs a process on a goroutine of its own until it is idle.
func runAlone(r scheduler.Runnable) {
	over := false
	defer func() {
		if !over { // A handler ended the goroutine.
			go runAlone(r)
		}
	}()
	for r.Turn(nil) {
	}
	over = true
}

// roomLocked reports whether fewer than capacity messages wait. What is inline
// does not count, nor the message being handled.
func (c *cold[M]) roomLocked(capacity int) bool {
	if c.box.len+c.ahead < capacity {
		return true // Without a look at what the worker is writing all the time.
	}
	c.ahead = max(int(c.inHand())-1, 0) //nolint:gosec // Bounded by memory.
	return c.box.len+c.ahead < capacity
}

// acceptLocked takes s in. It reports whether it made the process busy with it.
func (p *process[M]) acceptLocked(c *cold[M], s *slot[M]) (claimed bool) {
	if p.state.keepBusy() {
		c.box.push(s, &p.kind.rooms)
		return false
	}
	p.slot = *s // It has become idle on the way.
	return true
}

// refuseLocked refuses s, for which there is no room or no process, or makes
// room for it by dropping another; and unlocks c.mu.
func (p *process[M]) refuseLocked(c *cold[M], s *slot[M], st uint64) (claimed bool, err error) {
	switch {
	case st&flagEnded != 0: // Its counts are with the system already.
		atomic.AddUint64(&p.kind.totals.own.Now.Refused.Stopped, 1)
		err = ErrStopped
	case st&flagClosed != 0:
		c.refused.Stopped++
		err = ErrStopped
	case p.kind.overflow == DropOldest && c.box.len > 0:
		var dropped slot[M]
		c.box.pop(&dropped)
		deadDropped.count(&c.dead)
		claimed = p.acceptLocked(c, s)
		c.mu.Unlock()
		p.tellDead(dropped, deadDropped)
		return claimed, nil
	default:
		c.refused.Full++
		err = ErrFull
	}
	c.mu.Unlock()
	p.tellRefused(*s, err)
	return false, err
}

// waitForRoom queues the sender behind a full box. c.mu must be held; it is
// unlocked here.
func (p *process[M]) waitForRoom(ctx context.Context, c *cold[M], s *slot[M]) error {
	w := &waitingSender[M]{slot: *s, result: make(chan error, 1)}
	place := c.waiters.PushBack(w)
	p.state.Or(flagWaiters)
	p.admitWaitingLocked(c) // The worker may have made room just before it could see the flag.
	c.mu.Unlock()
	header.Queued(ctx) // Senders get room in their order.

	var timeout <-chan time.Time
	if self := contexts.OwnerOf(ctx); self != nil {
		self.Yield()
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
		p.tellRefused(*s, err)
	}
	return err
}

// giveUp takes w out of the queue, unless its fate was decided meanwhile.
func (p *process[M]) giveUp(w *waitingSender[M], place *list.Element, err error) error {
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

// admitWaitingLocked moves waiting senders' messages into the box of a process that is
// being run, as far as there is room.
func (p *process[M]) admitWaitingLocked(c *cold[M]) {
	if p.state.Load()&flagWaiters == 0 {
		return
	}
	for c.waiters.Len() > 0 && c.roomLocked(p.kind.capacity) {
		w := c.waiters.Remove(c.waiters.Front()).(*waitingSender[M]) //nolint:forcetypeassert // The list holds nothing else.
		c.box.push(&w.slot, &p.kind.rooms)
		w.result <- nil
	}
	if c.waiters.Len() == 0 {
		p.state.And(^flagWaiters)
	}
	p.state.Or(flagMore)
}
