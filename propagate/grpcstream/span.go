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
	"github.com/waybill-go/waybill/internal/handling"
	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/keys"
)

var consumer = trace.WithSpanKind(trace.SpanKindConsumer)

var streamLink = []attribute.KeyValue{keys.LinkReason.String("stream")}

// deliver calls yield with message, in a span if its trace is sampled.
func (r *Receiver[M]) deliver(a arrival, message *M, yield func(context.Context, *M) bool) bool {
	if a.bare {
		return yield(r.bareBase, message)
	}
	h := (*header.Header)(a.header)
	if h == nil {
		return yield(r.base, message)
	}
	ctx := h.Context(r.base)
	var span trace.Span
	switch {
	case h.Linked():
		sc := h.SpanContext()
		ctx, span = r.start(forced.NextTrace(ctx, sc), h.SentAt(), a.waited, trace.WithLinks(forced.FanoutLink(sc)))
	case h.Sampled():
		ctx, span = r.start(ctx, h.SentAt(), a.waited)
	case h.Caller() != nil:
		ctx, span = r.startRoot(ctx)
	}
	if span == nil {
		return yield(ctx, message)
	}
	defer failure.End(span)
	return yield(ctx, message)
}

// startRoot begins the span for a message whose trace a boundary has linked. The provider
// may be that of the boundary, which would add the link again. So it is given a context
// without the caller.
func (r *Receiver[M]) startRoot(ctx context.Context) (context.Context, trace.Span) {
	c := caller.Of(ctx)
	below, span := r.start(caller.With(ctx, nil), time.Time{}, 0, c.Options(nil)...)
	return caller.With(below, c), span
}

// start begins the span of a handling, below the span in ctx. sentAt is the zero time if
// that is not known. The span is nil if the sampler or a span processor panics.
func (r *Receiver[M]) start(
	ctx context.Context, sentAt time.Time, queued waited, opts ...trace.SpanStartOption,
) (context.Context, trace.Span) {
	now := time.Now()
	f := fanout.FromTraceState(trace.SpanContextFromContext(ctx).TraceState())
	attrs, options := roomFor(f.Depth > 0)
	options = append(options, opts...)
	if !sentAt.IsZero() {
		attrs = appendWaits(attrs, now.Sub(sentAt), queued)
	}
	attrs = f.Attributes(attrs)
	if sc := r.streamSpan.SpanContext(); sc.IsSampled() && sc.IsValid() {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: sc, Attributes: streamLink}))
	}
	ctx, span := guard.Start(ctx, r.tracer, r.name, append(options,
		consumer, trace.WithTimestamp(now), trace.WithAttributes(attrs...))...)
	if span != nil {
		ctx = handling.With(ctx, span)
	}
	return ctx, span
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
func appendWaits(attrs []attribute.KeyValue, total time.Duration, queued waited) []attribute.KeyValue {
	if queued >= 0 {
		attrs = append(attrs, keys.QueueDuration.Float64(time.Duration(queued).Seconds()))
	}
	network := max(total-time.Duration(max(queued, 0)), 0)
	return append(attrs,
		keys.NetworkDuration.Float64(network.Seconds()),
		keys.ClocksCrossed.Bool(true))
}
