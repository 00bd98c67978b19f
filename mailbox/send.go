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
	p.mu.Lock()
	if p.fullLocked() && p.kind.overflow == Wait && processOf(ctx) != &p.ctx {
		return p.waitForRoom(ctx, s) // Unlocks.
	}
	return p.admitLocked(s) // Unlocks.
}

// offer delivers s without waiting.
func (p *process[M]) offer(s slot[M]) error {
	p.mu.Lock()
	return p.admitLocked(s) // Unlocks.
}

func (p *process[M]) fullLocked() bool { return !p.closed && p.box.len >= p.kind.capacity }

// admitLocked takes s into the box or refuses it, and unlocks p.mu.
func (p *process[M]) admitLocked(s slot[M]) error {
	var dropped slot[M]
	full := p.fullLocked()
	switch {
	case p.closed:
		if p.ended { // Its counts are with the system already.
			p.kind.sys.refusedAfter.Add(1)
		} else {
			p.n.Refused.Stopped++
		}
		p.mu.Unlock()
		p.refused(s, ErrStopped)
		return ErrStopped
	case full && p.kind.overflow != DropOldest:
		p.n.Refused.Full++
		p.mu.Unlock()
		p.refused(s, ErrFull)
		return ErrFull
	case full:
		dropped = p.box.pop()
		deadDropped.count(&p.n.DeadLetters)
	}
	p.box.push(s)
	p.n.Accepted++
	wake := !p.running
	p.running = true
	p.mu.Unlock()
	if wake {
		go p.run()
	}
	if full {
		p.bury(dropped, deadDropped)
	}
	return nil
}

// waitForRoom queues the sender behind a full box. p.mu must be held; it is
// unlocked here.
func (p *process[M]) waitForRoom(ctx context.Context, s slot[M]) error {
	w := &waiter[M]{slot: s, result: make(chan error, 1)}
	if p.waiters == nil {
		p.waiters = list.New()
	}
	place := p.waiters.PushBack(w)
	p.mu.Unlock()

	var timeout <-chan time.Time
	if processOf(ctx) != nil {
		timer := time.NewTimer(p.kind.sys.handlerWait)
		defer timer.Stop()
		timeout = timer.C
	}
	select {
	case err := <-w.result:
		return p.waited(s, err)
	case <-ctx.Done():
		return p.waited(s, p.giveUp(w, place, ctx.Err()))
	case <-timeout:
		return p.waited(s, p.giveUp(w, place, ErrFull))
	}
}

func (p *process[M]) waited(s slot[M], err error) error {
	if err != nil {
		p.refused(s, err)
	}
	return err
}

// giveUp takes w out of the queue, unless its fate was decided meanwhile.
func (p *process[M]) giveUp(w *waiter[M], place *list.Element, err error) error {
	p.mu.Lock()
	select {
	case decided := <-w.result:
		p.mu.Unlock()
		return decided
	default:
	}
	p.waiters.Remove(place)
	if err == ErrFull { //nolint:errorlint // Our own, never wrapped.
		p.n.Refused.Full++
	} else {
		p.n.Refused.Cancelled++
	}
	p.mu.Unlock()
	return err
}

// letInLocked moves the sender who has waited longest into the box.
func (p *process[M]) letInLocked() {
	if p.waiters == nil {
		return
	}
	first := p.waiters.Front()
	if first == nil {
		return
	}
	w := p.waiters.Remove(first).(*waiter[M]) //nolint:forcetypeassert // The list holds nothing else.
	p.box.push(w.slot)
	p.n.Accepted++
	w.result <- nil
}
