// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package fanout

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/broadcast"
	standing "github.com/waybill-go/waybill/internal/fanout" // What a recipient stands for.
	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/planning"
)

// Broadcast is one message on its way to many recipients. [Fanout.Begin] and its like
// return one. It is for one goroutine at a time, and must not be copied once it is in use;
// [Broadcast.Part] is for recipients that other goroutines reach.
type Broadcast struct {
	fanout  *Fanout
	ctx     context.Context //nolint:containedctx // It lives as long as the broadcast that it was made for.
	skipped *envelope.Header

	begin, end       int // positions of the first recipient, and behind the last
	passed           int // position of the next recipient
	given            int // recipients that parts took away
	due              int // position of the next recipient that may be sampled
	refused, sampled int
	refusedAt        int              // asked, when one was refused
	last             *envelope.Header // of the last sampled recipient
	lastFor          standing.Fanout  // what that stands for
	lastAt           int              // asked, when it was sampled

	recipients *broadcast.Recipients // nil if nobody is sampled
	traced     *traced               // nil if the broadcast has no span
	ended      bool
	unsampled  context.Context //nolint:containedctx // For skipped recipients; nil until one asks.
}

// traced is what the parts of a broadcast with a span have in common.
type traced struct {
	span *broadcast.Broadcast
	plan *broadcast.Recipients // nil if nobody is sampled

	mu    sync.Mutex
	open  int // parts that have not ended
	total Delivery
}

// Delivery is what became of a broadcast, or of a part of one.
type Delivery struct {
	Size      int // recipients, as Begin was told; if they were unknown, those that Next was asked for
	Delivered int // recipients that Next was asked for and that did not refuse
	Refused   int // recipients that refused
	Sampled   int // sampled recipients that Next was asked for, refused ones included
}

// Context returns the sender's context. If the broadcast has a span, the context is below
// that.
func (b *Broadcast) Context() context.Context { return header.OrBackground(b.ctx) }

// Next returns the header of the next recipient: what to put into its envelope with
// [envelope.New]. It may be nil, and recipients may share one. If the recipient does not take
// the message, call [Broadcast.Refuse] before Next is called again. Next does not block, takes the same time for any number of recipients, and
// allocates nothing for one that is skipped. After End nobody is sampled or counted.
func (b *Broadcast) Next() *envelope.Header {
	if b.passed == b.due {
		return b.nextSampled()
	}
	b.passed++
	return b.skipped
}

func (b *Broadcast) nextSampled() *envelope.Header {
	if b.recipients == nil { // Nobody has begun b.
		return nil
	}
	if !b.recipients.Reach() {
		b.due = b.recipients.Position()
		b.passed++
		return b.skipped
	}
	h, f := b.recipients.Header()
	b.due = b.recipients.Position()
	b.passed++
	b.sampled++
	b.last, b.lastFor, b.lastAt = (*envelope.Header)(h), f, b.asked()
	return b.last
}

// NextContext is [Broadcast.Next] for a transport that takes the trace from a context, such
// as a propagator that writes it into the headers of a message. A skipped recipient gets
// the trace as one that is not sampled, so that a receiver with a sampler of its own does
// not begin another.
func (b *Broadcast) NextContext() context.Context {
	h := (*header.Header)(b.Next())
	if b.isSampled() {
		if h.Linked() {
			h = b.traced.span.Continued(b.lastFor)
		}
		return h.Context(header.Untraced(b.ctx))
	}
	if b.unsampled == nil {
		b.unsampled = b.unsampledContext()
	}
	return b.unsampled
}

// unsampledContext returns the context of recipients that are not sampled.
func (b *Broadcast) unsampledContext() context.Context {
	ctx := b.Context()
	if sc := trace.SpanContextFromContext(ctx); sc.IsSampled() {
		return trace.ContextWithSpanContext(ctx, sc.WithTraceFlags(sc.TraceFlags()&^trace.FlagsSampled))
	}
	if b.fanout != nil && b.fanout.opts.carry.DropUnsampledBaggage && baggage.FromContext(ctx).Len() > 0 {
		return baggage.ContextWithoutBaggage(ctx)
	}
	return ctx
}

// Refuse says that the recipient that Next was last asked for has not taken the message. If
// it is sampled, a late span in the broadcast's trace says so. If not, there may be one that
// counts for nobody ([WithRecipientKind]). To call Refuse again for the same recipient does
// nothing.
func (b *Broadcast) Refuse(reason Reason) {
	if b.fanout == nil || b.refusedAt == b.asked() {
		return // Nobody was asked yet, or nobody else.
	}
	b.refusedAt = b.asked()
	b.refused++
	b.fanout.refuse(b, reason)
}

// asked returns for how many recipients Next was asked.
func (b *Broadcast) asked() int { return b.passed - b.begin - b.given }

// isSampled reports whether the recipient that Next was last asked for is sampled.
func (b *Broadcast) isSampled() bool { return b.recipients != nil && b.lastAt == b.asked() }

// Part takes the next n recipients away from b, for another goroutine: for a part of the
// clients of a hub, for instance. The caller asks the part for their headers, and calls its
// End. The span ends when b and all of its parts have ended. In a broadcast of unknown size,
// a part has any number of recipients, and n does not matter. Take parts before you call End.
// Those of a broadcast that has ended count as [Stats].Unplanned, and none is sampled.
func (b *Broadcast) Part(n int) *Broadcast {
	part := &Broadcast{fanout: b.fanout, ctx: b.ctx, skipped: b.skipped, due: planning.Never}
	if b.fanout == nil || b.ended {
		return part
	}
	part.traced, part.end = b.traced, planning.Never
	if b.end != planning.Never {
		part.begin, part.passed = b.passed, b.passed
		part.end = b.passed + min(max(n, 0), max(b.end-b.passed, 0))
		b.given += part.end - b.passed
		b.passed = part.end
	}
	if b.recipients != nil {
		part.recipients = b.recipients.Cut(part.end)
		part.due, b.due = part.recipients.Position(), b.recipients.Position()
	}
	if t := b.traced; t != nil {
		t.mu.Lock()
		t.open++
		t.mu.Unlock()
	}
	return part
}

// End ends the broadcast, and tells what became of it. Recipients for which Next was not
// asked have got nothing. Those that parts have taken away are told by the parts. To call it
// again changes nothing.
func (b *Broadcast) End() Delivery {
	d := Delivery{
		Size: b.end - b.begin - b.given, Delivered: b.asked() - b.refused, Refused: b.refused, Sampled: b.sampled,
	}
	if b.end == planning.Never {
		d.Size = b.asked()
	}
	if b.fanout == nil || b.ended {
		return d
	}
	b.ended, b.due = true, planning.Never
	b.fanout.counts.add(d, b.asked())
	if b.traced != nil {
		b.traced.ended(d)
	}
	return d
}

// ended counts what became of one part. The last one ends the span.
func (t *traced) ended(d Delivery) {
	t.mu.Lock()
	t.open--
	t.total.Size += d.Size
	t.total.Delivered += d.Delivered
	t.total.Refused += d.Refused
	t.total.Sampled += d.Sampled
	total, last := t.total, t.open == 0
	t.mu.Unlock()
	if !last {
		return
	}
	if t.plan != nil {
		t.plan.Describe(total.Size, total.Sampled, total.Delivered, total.Refused)
	}
	t.span.End()
}
