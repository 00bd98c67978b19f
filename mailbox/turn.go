// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"context"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/delivered"
	"github.com/waybill-go/waybill/internal/handling"
	"github.com/waybill-go/waybill/mailbox/internal/scheduler"
	"github.com/waybill-go/waybill/mailbox/internal/spans"
	"github.com/waybill-go/waybill/sampling"
)

// turnLength is how many messages a process may handle before others have
// their turn.
const turnLength = 64

// Turn implements scheduler.Runnable: it handles messages until there are none left, the process has ended, or
// its turn is over. Only in the last case it reports true, and the process
// remains the caller's.
func (p *process[M]) Turn(chance *scheduler.Chance) (again bool) {
	if p.pausing() {
		return false
	}
	t := turn{chance: chance}
	s, inline := p.next(&t)
	for n := 1; s != nil; n++ {
		settled := p.handle(s, &t)
		more := n < turnLength
		switch {
		case settled:
			if p.writeTimes(&t); p.pausing() {
				return false
			}
		case inline:
			if p.writeTimes(&t); p.state.doneInline() {
				return false
			}
		default:
			if s = p.advance(more); s != nil {
				continue
			}
		}
		if !more {
			p.writeTimes(&t)
			return true
		}
		s, inline = p.next(&t)
	}
	return false
}

// next takes the next message in hand, and tells whether it was inline. The slot
// is handle's, which clears it. It is nil if the process has become idle or has
// ended, and is no longer the caller's.
func (p *process[M]) next(t *turn) (s *slot[M], inline bool) {
	for {
		if p.state.takeInline() {
			return &p.slot, true
		}
		if c := p.cold.Load(); c != nil && c.hand.len > 0 && c.progress.take() {
			return c.takeFromHand(), false
		}
		if p.passivateIfAsked(t); !p.takeBatch(t) {
			return nil, false
		}
	}
}

func (c *cold[M]) takeFromHand() *slot[M] {
	s := c.hand.skip()
	c.sent = s.sent
	return s
}

// advance counts a message from the batch in hand as done. If the next one is
// wanted, and there is one, it takes that in hand.
func (p *process[M]) advance(next bool) *slot[M] {
	c := p.cold.Load()
	if next = next && c.hand.len > 0; next {
		next = c.progress.advance()
	} else {
		c.progress.finish()
	}
	if p.state.Load()&flagWaiters != 0 {
		c.mu.Lock()
		p.admitWaitingLocked(c)
		c.mu.Unlock()
	}
	if !next {
		return nil
	}
	return c.takeFromHand()
}

// takeBatch takes what is in the box in hand. It reports false if the process
// has become idle or has ended.
func (p *process[M]) takeBatch(t *turn) (held bool) {
	if p.cold.Load() == nil && p.state.release() {
		return false
	}
	c := p.lock()
	p.admitWaitingLocked(c)
	st := p.state.Load()
	if st&flagKilled != 0 || st&flagClosed != 0 && c.box.len == 0 {
		c.mu.Unlock()
		p.writeTimes(t)
		p.end()
		return false
	}
	c.before, c.batch, c.ahead = c.progress.done(), 0, 0
	if c.box.len == 0 {
		p.writeTimes(t)
		c.hand.trim(&p.kind.rooms)
		c.box.trim(&p.kind.rooms)
		p.state.And(^flagMore)
		idle := p.state.release()
		c.mu.Unlock()
		return !idle
	}
	if p.kind.overflow == DropOldest {
		var s slot[M]
		c.box.pop(&s)
		c.hand.push(&s, &p.kind.rooms) // What is in hand cannot be dropped any more.
	} else {
		c.hand, c.box = c.box, c.hand
	}
	c.batch, c.first, c.ahead = uint64(c.hand.len), c.hand.head, c.hand.len //nolint:gosec // A length.
	p.admitWaitingLocked(c)
	c.mu.Unlock()
	return true
}

// currentHandling is one message being handled.
type currentHandling struct {
	span     trace.Span        // nil if it is not traced
	running  *handling.Running // nil without debug mode
	weight   uint32            // how many messages it stands for in the timings; 0 if it is not timed
	begun    int64             // by the clocks; 0 if nobody wants to know
	ended    int64             // likewise
	long     bool              // it took or had waited long enough to be worth a late span
	err      error
	panicked bool // or did not return at all
}

// handle runs the handler on s, and clears it. It reports whether the message is
// accounted for already: when it was not handled, or that went wrong. Whatever
// the handler does, what begin began is concluded.
func (p *process[M]) handle(s *slot[M], t *turn) (settled bool) {
	if s.call != nil && s.call.expired() {
		t.now = 0
		p.settle(nil, deadExpired)
		p.tellDead(*s, deadExpired)
		s.clear()
		return true
	}
	var h currentHandling
	settings := p.kind.cell.Load()
	late := &settings.Late
	if h.weight = p.kind.timingWeight(settings, t); h.weight > 0 {
		h.begun = p.begunAt(t)
	} else if t.now = 0; spans.AnyLate(late) {
		h.begun = p.kind.sys.sched.Now()
	}
	returned := false
	defer func() {
		if !returned { // A panic, or Goexit, for which recover returns nil.
			h.panicked, h.err = true, ErrGoexit
			if recovered := recover(); recovered != nil {
				h.err = &PanicError{Value: recovered, Stack: debug.Stack()}
			}
		}
		remarkable := h.err != nil || h.span != nil || s.call != nil
		if h.begun != 0 {
			if h.weight > 0 {
				remarkable = p.timeHandling(s, &h, t) || remarkable
			} else {
				h.ended = p.kind.sys.sched.Now()
			}
			h.long = spans.TooLong(late, h.ended-h.begun, h.begun-s.sent)
		}
		if remarkable || h.long {
			settled = p.conclude(s, &h, late, t)
		}
		s.clear()
	}()
	var ctx context.Context = p
	if s.header != nil || s.call != nil || p.kind.roots {
		ctx = p.begin(s, &h)
	}
	if p.handler == nil {
		h.err = p.makeInstance(ctx, s)
	}
	if h.err == nil {
		h.err = p.handler(ctx, s.message)
	}
	returned = true
	return false
}

// begin makes the handler's context, and starts the span if there is to be one.
func (p *process[M]) begin(s *slot[M], h *currentHandling) context.Context {
	var ctx context.Context = p
	if s.call != nil {
		ctx = s.call.bind(ctx)
	}
	root := p.kind.roots && s.header.Undecided()
	if s.header == nil && !root {
		return ctx
	}
	ctx = s.header.Context(ctx)
	if (s.header.Sampled() || root || s.header.Caller() != nil) && !p.kind.silent && !p.kind.cell.Load().NoSpans {
		ctx, h.span = p.startHandling(ctx, s)
	}
	if h.span != nil && p.kind.site != nil {
		ctx, h.running = p.kind.site.Begin(ctx, nil, nil)
	}
	return ctx
}

// conclude ends what begin began, and accounts for a failure. What is plugged in may
// end the goroutine here, and with it the caller: then the message is accounted for all
// the same.
func (p *process[M]) conclude(s *slot[M], h *currentHandling, late *sampling.Late, t *turn) (settled bool) {
	t.now = 0 // What follows is no part of the next handling.
	h.running.End()
	exiting := true
	defer func() {
		switch {
		case h.err != nil:
			p.fail(s, h)
			settled = true
		case exiting:
			p.settle(nil, outcomeHandled)
		}
		if exiting {
			p.writeTimes(t)
			s.clear()
		}
	}()
	if s.call != nil {
		if h.err != nil {
			s.call.fail(h.err)
		} else {
			p.keepOpen(s.call)
		}
		s.call.leave()
	}
	var lateSpan trace.SpanContext
	if h.long || h.begun != 0 && h.err != nil {
		lateSpan = p.endLate(s, h, late)
	}
	if h.span != nil {
		failure := failureOf(h.err, h.panicked)
		failure.End(h.span)
	}
	p.measureHandling(s, h, lateSpan)
	exiting = false
	return false
}

// endLate looks whether the handling h, which has ended, is worth a late span. It returns the
// one that it makes.
func (p *process[M]) endLate(s *slot[M], h *currentHandling, late *sampling.Late) trace.SpanContext {
	described := p.describe(s)
	return described.EndedLate(&spans.Handled{
		Failure: failureOf(h.err, h.panicked), Span: h.span,
		Took: time.Duration(h.ended - h.begun), Waited: time.Duration(h.begun - s.sent),
	}, late)
}

// fail accounts for a failure, and does what is configured.
func (p *process[M]) fail(s *slot[M], h *currentHandling) {
	p.tellDelivered(s, delivered.Message.Failed, h.err)
	failed := Event{Type: HandlerFailed, Err: h.err}
	if h.span != nil {
		failed.SpanContext = h.span.SpanContext()
	}
	p.happenedTo(s, failed)
	if p.handler == nil {
		p.dropInstance() // Its Factory failed, and may have set timers before.
	}
	policy, became := p.kind.onError, outcomeFailed
	if h.panicked {
		policy, became = p.kind.onPanic, outcomePanicked
		if h.err == ErrGoexit { //nolint:errorlint // Our own, never wrapped.
			became = outcomeExited
		}
	}
	var cause error
	switch {
	case policy == Terminate:
		cause = h.err
	case policy == Restart && p.state.Load()&flagKilled == 0:
		cause = p.restart(h)
	}
	p.settle(cause, became)
}

// keepOpen remembers a call that was left to be answered later.
func (p *process[M]) keepOpen(call *pending) {
	if call.over() {
		return // As most are.
	}
	c := p.lock()
	if c.open == nil {
		c.open = make(map[*pending]struct{})
	}
	c.open[call] = struct{}{}
	c.mu.Unlock()
	if !call.keep(p) {
		p.forget(call)
	}
}

// forget implements callHolder.
func (p *process[M]) forget(call *pending) {
	c := p.lock()
	defer c.mu.Unlock()
	delete(c.open, call)
}

// Outcomes of a message in hand, beside the reasons of dead letters.
const (
	outcomeHandled  deadReason = "handled"
	outcomeFailed   deadReason = "failed" // by an error
	outcomePanicked deadReason = "panicked"
	outcomeExited   deadReason = "exited" // The handler ended its goroutine.
)

// settle accounts for the message in hand, of which that became. A cause that is not
// nil ends the process.
func (p *process[M]) settle(cause error, became deadReason) {
	c := p.lock()
	defer c.mu.Unlock()
	switch became {
	case outcomeHandled:
	case outcomeFailed:
		c.failed++
	case outcomePanicked:
		c.failed++
		c.panicked++
	case outcomeExited:
		c.failed++
		c.exited++
	default:
		became.count(&c.dead)
		c.lost++
	}
	if st := p.state.Load(); st&flagInline != 0 {
		p.state.Add(oneDone)
		p.state.And(^(flagInline | flagTaken))
	} else {
		c.progress.finish()
	}
	if p.state.Load()&flagKilled == 0 && cause != nil {
		c.fatal, c.reason = cause, deadFailed // Unless it was killed: then that ends it, whatever the handler says.
		p.closeLocked(c, true)
	}
	p.admitWaitingLocked(c)
}
