// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"context"
	"sync"
	"time"

	"github.com/waybill-go/waybill/internal/clock"
)

// Timer sends a message later, once or again and again. It ends when its process ends. It
// holds no goroutine. A nil Timer, and a zero one, has nothing to send.
type Timer struct{ stop func() bool }

// Stop stops the timer. It reports whether there was anything left to send. It does not
// block, and may be called again.
func (t *Timer) Stop() bool { return t != nil && t.stop != nil && t.stop() }

// SendAfter sends message to the process after d, as [Ref.TrySend] would: a full mailbox
// refuses it. The message carries what a send from ctx would carry now, and its time of
// sending is when d is over. The timer goes on when ctx ends. A timer that a process
// sets for itself ends when the process is restarted.
func (r Ref[M]) SendAfter(ctx context.Context, d time.Duration, message M) *Timer {
	if r.p == nil {
		return new(Timer)
	}
	return r.p.newTimer(ctx, message, r.p.isOwner(ctx), d, 0)
}

// SendEvery sends message to the process every d, for the first time after d, as
// [Ref.TrySend] would. The times do not drift. Times that were missed are left out, for
// instance while the program was suspended. The messages carry nothing from ctx. As with
// SendAfter, ctx tells whether the process sets the timer for itself. SendEvery panics if
// d is not positive.
func (r Ref[M]) SendEvery(ctx context.Context, d time.Duration, message M) *Timer {
	if d <= 0 {
		panic("mailbox: SendEvery with an interval that is not positive")
	}
	if r.p == nil {
		return new(Timer)
	}
	return r.p.newTimer(r.p.kind.sys.base, message, r.p.isOwner(ctx), d, d)
}

// processTimer is a Timer's other half.
type processTimer[M any] struct {
	p     *process[M]
	slot  slot[M]
	every time.Duration // 0 for once
	own   bool          // set by the instance, and ends with it

	mu    sync.Mutex // before the process's
	timer *time.Timer
	due   time.Time
	over  bool
}

func (p *process[M]) newTimer(ctx context.Context, message M, own bool, after, every time.Duration) *Timer {
	t := &processTimer[M]{p: p, slot: slot[M]{message: message}, every: every, own: own, due: time.Now().Add(after)}
	p.address(ctx, &t.slot)
	t.mu.Lock()
	defer t.mu.Unlock()
	if p.hold(t) {
		t.timer = time.AfterFunc(after, t.fire)
	} else {
		t.over = true // The process has ended.
	}
	return &Timer{stop: t.stop}
}

// fire sends the message, and waits for the next time if there is one.
func (t *processTimer[M]) fire() {
	t.mu.Lock()
	if t.over {
		t.mu.Unlock()
		return
	}
	s := t.slot
	s.header, s.sent = s.header.WithSentAt(t.due), clock.Reading(t.due)
	if t.every == 0 {
		t.over = true
	} else {
		late := time.Since(t.due)
		t.due = t.due.Add(t.every + late - late%t.every)
		t.timer.Reset(time.Until(t.due))
	}
	over := t.over
	t.mu.Unlock()
	claimed, _ := t.p.offer(&s) // A refusal is counted there.
	if over {
		t.p.release(t) // Not before: who expects a message is not passivated.
	}
	if claimed {
		t.p.schedule()
	}
}

func (t *processTimer[M]) stop() bool {
	if !t.cancel() {
		return false
	}
	t.p.release(t)
	return true
}

// byInstance implements runningTimer.
func (t *processTimer[M]) byInstance() bool { return t.own }

// cancel ends the timer, and reports whether it had not ended yet.
func (t *processTimer[M]) cancel() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return false
	}
	t.over = true
	t.timer.Stop()
	return true
}

// hold has t end with the process. It reports false if that has ended.
func (p *process[M]) hold(t *processTimer[M]) bool {
	c := p.lock()
	defer c.mu.Unlock()
	if p.state.Load()&flagEnded != 0 {
		return false
	}
	if c.timers == nil {
		c.timers = make(map[runningTimer]struct{})
	}
	c.timers[t] = struct{}{}
	return true
}

// release forgets t, which has ended.
func (p *process[M]) release(t *processTimer[M]) {
	c := p.lock()
	defer c.mu.Unlock()
	delete(c.timers, t)
}
