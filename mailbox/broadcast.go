// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/sampling"
)

// Delivery is what became of a broadcast.
type Delivery struct {
	Size      int // members when the broadcast began
	Delivered int // mailboxes that took the message
	Rejected  int // mailboxes that refused it, being full or stopped
	Traced    int // recipients chosen to keep the trace, refused ones included
}

// Broadcast sends message to every member. It never waits: a full mailbox
// refuses the message, or drops its oldest, even if its kind says [Wait].
//
// If the trace in ctx is sampled, the broadcast is a span of kind PRODUCER and
// the recipients that its sampling chooses keep the trace; each of their spans
// says how many recipients it stands for. For all others it costs what it would
// without a trace. Members are not in the order they joined.
func (g *Group[M]) Broadcast(ctx context.Context, message M) Delivery {
	members := g.snapshot()
	if len(members) == 0 {
		return Delivery{}
	}
	if !traced(ctx) {
		d := Delivery{Size: len(members)}
		deliver(&d, members, newParcel(ctx, g.sys, message, g.sys.carry.Header(ctx)))
		return d
	}
	return g.broadcastTraced(ctx, message, members)
}

func (g *Group[M]) broadcastTraced(ctx context.Context, message M, members []*process[M]) Delivery {
	parent := sampling.FanoutFrom(trace.SpanContextFromContext(ctx).TraceState())
	ctx, span := g.sys.tracer.Start(ctx, "broadcast "+g.name, trace.WithSpanKind(trace.SpanKindProducer))
	defer span.End()

	d := Delivery{Size: len(members)}
	header := g.sys.carry.Header(ctx)
	if !header.Sampled() { // The sampler refused the broadcast's own span.
		deliver(&d, members, newParcel(ctx, g.sys, message, header))
		return d
	}
	plan := g.settings.sampling.Plan(len(members), nil)
	chosen := newParcel(ctx, g.sys, message, chosenHeader(header, parent.Recipient(plan)))
	skipped := newParcel(ctx, g.sys, message, skippedHeader(header, g.sys.carry))
	rest := 0
	for _, i := range plan.Chosen {
		deliver(&d, members[rest:i], skipped)
		deliver(&d, members[i:i+1], chosen)
		rest = i + 1
	}
	deliver(&d, members[rest:], skipped)
	d.Traced = len(plan.Chosen)
	span.SetAttributes(d.attributes(parent)...)
	return d
}

// chosenHeader is what all recipients share that keep the trace.
func chosenHeader(h *envelope.Header, f sampling.Fanout) *envelope.Header {
	sc := h.SpanContext()
	return h.WithSpanContext(sc.WithTraceState(f.Put(sc.TraceState())))
}

// skippedHeader is what all recipients share that do not.
func skippedHeader(h *envelope.Header, carry envelope.Carry) *envelope.Header {
	if !carry.Unsampled {
		return h.WithSpanContext(trace.SpanContext{})
	}
	sc := h.SpanContext()
	return h.WithSpanContext(sc.WithTraceFlags(sc.TraceFlags() &^ trace.FlagsSampled))
}

// parcel is what recipients get: those of kinds with roots are told that it was
// decided whether to trace it.
type parcel[M any] struct{ plain, decided slot[M] }

func newParcel[M any](ctx context.Context, sys *System, message M, h *envelope.Header) parcel[M] {
	s := slot[M]{message: message, header: h, sent: sys.stamp(h)}
	decided := s
	decided.header = withDecision(ctx, h)
	return parcel[M]{s, decided}
}

// deliver gives s to each of members and counts how it went. Those that it
// wakes are scheduled a chunk at a time.
func deliver[M any](d *Delivery, members []*process[M], s parcel[M]) {
	var woken wakeup
	for _, p := range members {
		offered := &s.plain
		if p.kind.roots {
			offered = &s.decided
		}
		claimed, err := p.offer(offered)
		if err != nil {
			d.Rejected++
			continue
		}
		d.Delivered++
		switch {
		case !claimed:
		case p.kind.own:
			p.schedule()
		default:
			woken.add(p.kind.sys.sched, p)
		}
	}
	woken.flush()
}

// attributes describes the broadcast on its span. Its size is its own; weight,
// probability and depth are those of the fan-outs above it.
func (d *Delivery) attributes(parent sampling.Fanout) []attribute.KeyValue {
	method := "uniform"
	if d.Traced == d.Size {
		method = "all"
	}
	attrs := parent.Attributes(make([]attribute.KeyValue, 0, 9))
	return append(attrs,
		sampling.SizeKey.Int(d.Size), // Of two with one key, the later counts.
		FanoutSampledKey.Int(d.Traced),
		FanoutMethodKey.String(method),
		FanoutDeliveredKey.Int(d.Delivered),
		FanoutRefusedKey.Int(d.Rejected),
	)
}
