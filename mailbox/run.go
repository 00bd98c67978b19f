// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"context"
	"runtime/debug"

	"go.opentelemetry.io/otel/trace"
)

// hand is what the running goroutine has in hand.
type hand[M any] struct {
	slot    slot[M]
	span    trace.Span // nil if the handling is not traced
	failure error
	fate    fate
}

// fate is what became of the message in hand.
type fate int

const (
	fateHandled  fate = iota
	fateFailed        // the handler returned an error
	fatePanicked      // or did not return at all
	fateExpired
)

// run handles what is in the box until that is empty or the process ends.
func (p *process[M]) run() {
	taken := true // by runtime.Goexit in a handler, unless we get to the end
	defer func() {
		if taken {
			go p.run()
		}
	}()
	for p.next() {
		p.handle()
	}
	taken = false
}

// next settles the message in hand and takes the next one into it. It reports
// false when there is none, and the process idle or ended.
func (p *process[M]) next() bool {
	p.mu.Lock()
	fatal := p.settleLocked()
	switch {
	case p.killed: // Then that ends it, and not that the handler gave up in turn.
		fatal = nil
	case fatal != nil:
		p.closeLocked(true)
	}
	if p.killed || p.closed && p.box.len == 0 {
		p.mu.Unlock() // Still running, so that nobody else ends it for another cause.
		p.end(fatal)
		return false
	}
	if p.box.len == 0 {
		p.box.trim()
		p.running = false
		p.mu.Unlock()
		return false
	}
	p.hand.slot = p.box.pop()
	p.busy = true
	p.letInLocked()
	p.mu.Unlock()
	return true
}

// settleLocked counts the message in hand, and returns its failure if that
// ends the process.
func (p *process[M]) settleLocked() (fatal error) {
	if !p.busy {
		return nil
	}
	p.busy = false
	switch p.hand.fate {
	case fateHandled:
		p.n.Handled++
	case fateExpired:
		deadExpired.count(&p.n.DeadLetters)
	case fateFailed, fatePanicked:
		p.n.Failed++
		policy := p.kind.onError
		if p.hand.fate == fatePanicked {
			policy = p.kind.onPanic
		}
		if policy == Stop {
			fatal = p.hand.failure
		}
	}
	p.hand = hand[M]{}
	return fatal
}

// handle runs the handler on the message in hand. Whatever the handler does,
// conclude follows, and the result is left in hand.
func (p *process[M]) handle() {
	if call := p.hand.slot.call; call != nil && call.expired() {
		p.hand.fate = fateExpired
		p.bury(p.hand.slot, deadExpired)
		return
	}
	ctx := p.begin()
	returned := false
	defer func() {
		if !returned { // A panic, or Goexit, for which recover returns nil.
			p.hand.fate, p.hand.failure = fatePanicked, ErrExit
			if recovered := recover(); recovered != nil {
				p.hand.failure = &PanicError{Value: recovered, Stack: debug.Stack()}
			}
		}
		p.conclude()
	}()
	p.hand.failure = p.handler(ctx, p.hand.slot.message)
	returned = true
}

// begin makes the handler's context, and starts the span if there is to be one.
func (p *process[M]) begin() context.Context {
	s := &p.hand.slot
	var ctx context.Context = &p.ctx
	if s.call != nil {
		ctx = s.call.bind(ctx)
	}
	root := p.kind.roots && !s.silent && !s.header.Sampled()
	if s.header == nil && !root {
		return ctx
	}
	ctx = s.header.Context(ctx)
	if s.header.Sampled() || root {
		ctx, p.hand.span = p.startHandling(ctx, s)
	}
	return ctx
}

// conclude ends what begin began.
func (p *process[M]) conclude() {
	h := &p.hand
	if h.failure != nil {
		if h.fate != fatePanicked {
			h.fate = fateFailed
		}
		if h.slot.call != nil {
			h.slot.call.fail(h.failure)
		}
	}
	if h.slot.call != nil {
		h.slot.call.leave()
	}
	if h.span != nil {
		endSpan(h.span, h.failure, h.fate == fatePanicked)
	}
}
