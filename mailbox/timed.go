// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/guard"
	"github.com/waybill-go/waybill/mailbox/internal/minutes"
	"github.com/waybill-go/waybill/mailbox/internal/scheduler"
	"github.com/waybill-go/waybill/sampling"
)

// turn is what the messages that a process handles in a row share.
type turn struct {
	// now is the time, exactly, if nothing has happened since it was read: the end of one
	// handling is the beginning of the next. 0 if it must be read.
	now int64
	// batch has the times that were not written yet; nil if there are none. They are written
	// before anybody can see that the process is idle, or has ended.
	batch *minutes.Batch
	// chance is of the goroutine that handles them.
	chance *scheduler.Chance
}

// timingWeight returns how many messages the next one stands for in the timings. It is 0 if
// the next one is not timed.
func (k *Kind[M]) timingWeight(settings *sampling.KindConfig, t *turn) uint32 {
	if settings.TimeOneIn <= 0 || k.timed == nil {
		return 0 // As usual. It is all that is inlined.
	}
	return t.draw(uint32(settings.TimeOneIn)) //nolint:gosec // Validated.
}

// draw returns oneIn for one message in that many, at random, and 0 for the others.
func (t *turn) draw(oneIn uint32) uint32 {
	if oneIn > 1 && !t.chance.OneIn(oneIn) {
		return 0
	}
	return oneIn
}

// begunAt returns the time at which the next handling begins.
func (p *process[M]) begunAt(t *turn) int64 {
	if t.now == 0 {
		return p.kind.sys.sched.Exact()
	}
	return t.now
}

// timeHandling times a handling that has just ended. It reports whether the metrics are to
// be told.
func (p *process[M]) timeHandling(s *slot[M], h *currentHandling, t *turn) (measured bool) {
	h.ended = p.kind.sys.sched.Exact()
	t.now = h.ended
	timed := p.kind.timed
	if timed.minutes != nil {
		t.batch = timed.minutes.Add(t.batch, p.id, &minutes.Message{
			Type: p.typeOf(s), Sent: s.sent, Begun: h.begun, Ended: h.ended, Weight: h.weight,
		})
	}
	if h.panicked {
		p.writeTimes(t) // The goroutine may be ending.
	}
	return timed.durations != nil
}

// measureHandling tells the metrics how long a message waited and how long it was handled. Every
// message that is timed counts once there, whatever it stands for in the timings: they are
// a uniform sample. If the handling has a span, that is where an exemplar leads, and
// otherwise its late span if there is one.
func (p *process[M]) measureHandling(s *slot[M], h *currentHandling, late trace.SpanContext) {
	if h.weight == 0 || p.kind.timed.durations == nil {
		return
	}
	ctx := context.Background()
	switch {
	case h.span != nil:
		ctx = trace.ContextWithSpan(ctx, h.span)
	case late.IsValid():
		ctx = trace.ContextWithSpanContext(ctx, late)
	}
	guard.Do(func() {
		series := p.kind.timed.durations.Of(p.typeOf(s))
		series.Queued(ctx, time.Duration(h.begun-s.sent))
		series.Handled(ctx, time.Duration(h.ended-h.begun))
	})
}

// writeTimes writes what was timed.
func (p *process[M]) writeTimes(t *turn) {
	if t.batch != nil {
		p.kind.timed.minutes.Flush(t.batch, p.id)
		t.batch = nil
	}
}
