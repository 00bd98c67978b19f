// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package grpcstream

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/caller"
	"github.com/waybill-go/waybill/internal/failure"
	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/forced"
	"github.com/waybill-go/waybill/internal/guard"
	"github.com/waybill-go/waybill/internal/keys"
)

var consumer = trace.WithSpanKind(trace.SpanKindConsumer)

var streamLink = []attribute.KeyValue{keys.LinkReason.String("stream")}

// deliver calls yield with message, in a span if its trace is sampled.
func (r *Receiver[M]) deliver(a arrival, message *M, yield func(context.Context, *M) bool) bool {
	if a.bare {
		return yield(r.bareBase, message)
	}
	h := a.header
	if h == nil {
		return yield(r.base, message)
	}
	ctx, room := h.ContextWithRoom(r.base)
	var span trace.Span
	switch {
	case h.Linked():
		sc := h.SpanContext()
		ctx, span = r.start(forced.NextTrace(ctx, sc), a, trace.WithLinks(forced.FanoutLink(sc)))
	case h.Sampled():
		ctx, span = r.start(ctx, a)
	case h.Caller() != nil:
		ctx, span = r.startRoot(ctx, a)
	}
	if span == nil {
		return yield(ctx, message)
	}
	defer failure.End(span)
	return yield(room.With(ctx, span), message)
}

// startRoot begins the span for a message whose trace a boundary has linked. The provider
// may be that of the boundary, which would add the link again. So it is given a context
// without the caller.
func (r *Receiver[M]) startRoot(ctx context.Context, a arrival) (context.Context, trace.Span) {
	c := caller.Of(ctx)
	below, span := r.start(caller.With(ctx, nil), a, c.Options(nil)...)
	return caller.With(below, c), span
}

// start begins the span of the handling of a, below the span in ctx. The span is nil if the
// sampler or a span processor panics.
func (r *Receiver[M]) start(
	ctx context.Context, a arrival, opts ...trace.SpanStartOption,
) (context.Context, trace.Span) {
	f := fanout.FromTraceState(trace.SpanContextFromContext(ctx).TraceState())
	attrs, options := roomFor(f.Depth > 0)
	options = append(options, opts...)
	if sent := a.header.SentAt(); !sent.IsZero() {
		attrs = appendWaits(attrs, a.at.Sub(sent), a.waited)
	}
	attrs = f.Attributes(attrs)
	if sc := r.streamSpan.SpanContext(); sc.IsSampled() && sc.IsValid() {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: sc, Attributes: streamLink}))
	}
	return guard.Start(ctx, r.tracer, r.name, append(options,
		consumer, trace.WithTimestamp(a.at), trace.WithAttributes(attrs...))...)
}

// roomFor returns room for what most spans are started with, in one allocation.
func roomFor(sampled bool) ([]attribute.KeyValue, []trace.SpanStartOption) {
	if sampled {
		room := new(struct {
			attrs   [8]attribute.KeyValue
			options [4]trace.SpanStartOption
		})
		return room.attrs[:0], room.options[:0]
	}
	room := new(struct {
		attrs   [3]attribute.KeyValue
		options [4]trace.SpanStartOption
	})
	return room.attrs[:0], room.options[:0]
}

// appendWaits appends what a message has waited for. total is the time since it was sent,
// as far as the clocks of both sides tell.
func appendWaits(attrs []attribute.KeyValue, total, queued time.Duration) []attribute.KeyValue {
	if queued != notKnown {
		attrs = append(attrs, keys.QueueDuration.Float64(queued.Seconds()))
	}
	network := max(total-max(queued, 0), 0)
	return append(attrs,
		keys.NetworkDuration.Float64(network.Seconds()),
		keys.ClocksCrossed.Bool(true))
}
