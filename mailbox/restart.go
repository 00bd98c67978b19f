// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"fmt"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// restart ends the instance that failed with h and has the next one wait. It
// returns an error if the process is to be given up instead.
func (p *process[M]) restart(h *currentHandling) error {
	p.dropInstance()
	c := p.ensureCold()
	if c.history == nil {
		c.history = new(failureHistory)
	}
	c.history.link = trace.SpanContext{}
	if h.span != nil {
		c.history.link = h.span.SpanContext()
	}
	backoff, tooMany := c.history.add(time.Now(), p.kind.restarts)
	if tooMany {
		return fmt.Errorf("%w: %w", ErrTooManyRestarts, h.err)
	}
	c.pause = backoff
	atomic.AddUint64(&p.kind.totals.own.Now.Restarts, 1)
	c.mu.Lock()
	open := c.open
	c.open = nil
	c.mu.Unlock()
	for call := range open {
		call.fail(h.err) // Whoever was to answer it has gone.
	}
	return nil
}

// failedSpan returns the span to which the next one should link, once.
func (p *process[M]) failedSpan() (link trace.SpanContext) {
	if c := p.cold.Load(); c != nil && c.history != nil {
		link, c.history.link = c.history.link, trace.SpanContext{}
	}
	return link
}

// pausing reports whether the process has to wait before it goes on. Then it
// is no longer the caller's: it is scheduled when the time is over, or when it
// is closed.
func (p *process[M]) pausing() bool {
	c := p.cold.Load()
	if c == nil || c.pause == 0 {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	backoff := c.pause
	c.pause = 0
	if p.state.Load()&flagClosed != 0 {
		return false // It comes to its end without delay.
	}
	c.backoff = time.AfterFunc(backoff, func() {
		c.mu.Lock()
		mine := c.endPauseLocked()
		c.mu.Unlock()
		if mine {
			p.schedule()
		}
	})
	return true
}

// endPauseLocked reports whether the process has been pausing; then it is the
// caller's, to be scheduled.
func (c *cold[M]) endPauseLocked() bool {
	if c.backoff == nil {
		return false
	}
	c.backoff.Stop()
	c.backoff = nil
	return true
}
