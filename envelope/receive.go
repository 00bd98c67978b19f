// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"context"
	"iter"
	"strconv"
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
	"github.com/waybill-go/waybill/internal/scope"
)

// Receive ranges over the messages that arrive on ch, until ch is closed and empty or ctx ends.
// If ctx ends, what is in ch stays there. The context of each loop body is ctx, with the
// message's trace and baggage in place of its own.
//
// If the message has a sampled trace, the body runs in a span called name, of kind CONSUMER,
// which is a child of the sender's span. The span says how long the message waited
// (waybill.queue.duration, in seconds). For a message that package wire has read, that is the
// difference of two clocks, the writer's and this one (waybill.clocks.crossed). If the sender is
// a sampled recipient of a fan-out, it also says how many the span stands for
// (waybill.fanout.weight). The span ends with the body, even if the body breaks, returns, panics
// or calls [runtime.Goexit]. A panic sets the status of the span, is recorded with its whole
// stack, and goes on. If a sampler, span processor or exporter panics, the span is lost but not
// the message, and OpenTelemetry's error handler is called.
//
// A recipient of a fan-out with linked roots starts a trace of its own, with a link to the
// fan-out.
//
// If the boundary of a reader of package wire has linked a message to the trace of a stranger,
// the span is a root with that link. It does not say how long the message waited, because only
// the stranger could have told.
//
// The body of an untraced message runs without a span, with the [Sentinel] in its context, and
// without an allocation. [WithRootSpans] and [WithOwnTrace] change that.
//
// [RecordError] records an error of the body on the span. [WithErr] tells a closed channel from
// a context that has ended.
//
// Several goroutines may range over one channel, each with a Receive of its own or all with the
// same one. The name should have few distinct values.
func Receive[M any](
	ctx context.Context, ch <-chan Envelope[M], name string, opts ...ReceiveOption,
) iter.Seq2[context.Context, M] {
	ctx = header.OrBackground(ctx)
	return func(yield func(context.Context, M) bool) {
		r := newReceiver(ctx, name, opts)
		*r.end = nil
		if r.totals != nil {
			receiveMeasured(ctx, r, ch, yield)
			return
		}
		done, p := ctx.Done(), r.plain // With a copy on the stack, one cache line less is waited for.
		for {
			e, ok, err := next(ctx, done, ch)
			if !ok {
				*r.end = err
				return
			}
			var more bool
			if ctx, ok := p.context(e.header); ok {
				more = yield(ctx, e.message)
			} else {
				more = deliverMore(r, e, yield)
			}
			if !more {
				return
			}
		}
	}
}

// next waits for a message. It looks at the context first, so that the loop ends even if its
// channel is never empty. Without a message, err is nil if the channel is closed.
func next[M any](ctx context.Context, done <-chan struct{}, ch <-chan Envelope[M]) (e Envelope[M], ok bool, err error) {
	if done == nil { // Then a plain receive does, which costs less than a select.
		e, ok = <-ch
		return e, ok, nil
	}
	if ctx.Err() != nil {
		return e, false, ctx.Err()
	}
	select {
	case e, ok = <-ch:
		return e, ok, nil
	case <-done:
		return e, false, ctx.Err()
	}
}

// receiver is what all messages of a loop or handler have in common.
type receiver struct {
	plain

	name   string
	tracer trace.Tracer
	end    *error          // Why the loop has ended.
	site   *handling.Site  // Nil without debug mode.
	totals *receiverTotals // Nil without metrics.
}

// plain is what a message needs that brings nothing.
type plain struct {
	base  context.Context //nolint:containedctx // It lives as long as the loop or handler that was given it.
	own   context.Context //nolint:containedctx // The same, with its own trace, for bare messages. Nil for base.
	roots bool
}

// context returns the context in which a message with h is handled without a span. ok is
// false if the message may bring something, or may start a trace.
func (p *plain) context(h *header.Header) (ctx context.Context, ok bool) {
	if h == nil && p.own != nil {
		return p.own, true
	}
	return p.base, h.LeavesContext() && (h != nil || !p.roots)
}

// newReceiver makes a receiver. A goroutine begins with 2 KiB of stack, and does not get back
// to that when it has once needed more. There may be one goroutine for each of very many
// clients, so most receivers are made within that.
func newReceiver(ctx context.Context, name string, opts []ReceiveOption) *receiver {
	c := new(receiveConfig)
	for _, o := range opts {
		if o != nil {
			o.apply(c)
		}
	}
	r := &receiver{plain: plain{base: Untraced(ctx), roots: c.roots}, name: name, end: c.end}
	if r.end == nil {
		r.end = new(error)
	}
	if c.debug || c.ownTrace || c.meters != nil {
		r.extend(ctx, c)
	}
	if r.tracer == nil {
		r.tracer = scope.Tracer(c.provider, "envelope")
	}
	return r
}

// extend adds to r what few receivers have.
func (r *receiver) extend(ctx context.Context, c *receiveConfig) {
	if c.debug {
		r.site = handling.NewSite(ctx, strconv.Quote(r.name))
		r.tracer = scope.TracerThat(c.provider, "envelope", r.site.ProviderChanged)
	}
	if c.ownTrace && trace.SpanContextFromContext(ctx).IsValid() {
		r.own = handling.Without(ctx) // Whose span is not that of any bare message.
	}
	if c.meters != nil {
		r.totals = metricsTo(c.meters, c.meterAttrs).totalsOf(r.name)
	}
}

// deliver calls handle with e's message, in a span if its trace is sampled.
func deliver[M, R any](r *receiver, e Envelope[M], handle func(context.Context, M) R) R {
	if ctx, ok := r.context(e.header); ok {
		return handle(ctx, e.message)
	}
	return deliverMore(r, e, handle)
}

// deliverMore is deliver for messages that bring something, and for those that may start a trace.
func deliverMore[M, R any](r *receiver, e Envelope[M], handle func(context.Context, M) R) R {
	h := e.header
	ctx, room := h.ContextWithRoom(r.base)
	var span trace.Span
	switch {
	case h.Linked():
		ctx, span = r.startNext(ctx, h)
	case h.Sampled():
		ctx, span = r.start(ctx, sentAs(h))
	case h.Caller() != nil:
		ctx, span = r.startLinked(ctx)
	case r.roots && h.Undecided():
		ctx, span = r.start(withoutParent(ctx), sending{})
	default:
		return handle(ctx, e.message)
	}
	return within(ctx, r, span, room, e.message, handle)
}

// withoutParent returns ctx for a span that is a root.
func withoutParent(ctx context.Context) context.Context {
	return trace.ContextWithSpanContext(ctx, trace.SpanContext{})
}

// startLinked begins the span for a message that a boundary has linked. The provider may be that
// of the boundary, which would add the link again. So it is given a context without the caller.
func (r *receiver) startLinked(ctx context.Context) (context.Context, trace.Span) {
	c := caller.Of(ctx)
	below, span := r.start(caller.With(ctx, nil), sending{}, c.Options(nil)...)
	return caller.With(below, c), span
}

// startNext begins the span for a recipient of a fan-out that starts a trace of its own.
func (r *receiver) startNext(ctx context.Context, h *header.Header) (context.Context, trace.Span) {
	sc := h.SpanContext()
	return r.start(forced.NextTrace(ctx, sc), sentAs(h), trace.WithLinks(forced.FanoutLink(sc)))
}

// sending is when a message was sent.
type sending struct {
	at      time.Time // zero if it is not known
	crossed bool      // at is by the clock of another machine
}

func sentAs(h *header.Header) sending { return sending{h.SentAt(), h.Crossed()} }

// start begins the span of a handling, below the span in ctx. The span is nil if the sampler or a span
// processor panics.
func (r *receiver) start(
	ctx context.Context, sent sending, opts ...trace.SpanStartOption,
) (context.Context, trace.Span) {
	now := time.Now()
	attrs := make([]attribute.KeyValue, 0, 7)
	if !sent.at.IsZero() {
		attrs = append(attrs, keys.QueueDuration.Float64(now.Sub(sent.at).Seconds()))
	}
	if sent.crossed {
		attrs = append(attrs, keys.ClocksCrossed.Bool(true))
	}
	attrs = fanout.FromTraceState(trace.SpanContextFromContext(ctx).TraceState()).Attributes(attrs)
	return guard.Start(ctx, r.tracer, r.name, append(opts,
		trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithTimestamp(now),
		trace.WithAttributes(attrs...),
	)...)
}

// within calls handle, and ends span after it. A nil span is none. room is that of ctx, or nil.
func within[A, R any](
	ctx context.Context, r *receiver, span trace.Span, room *handling.Room,
	argument A, handle func(context.Context, A) R,
) R {
	if span == nil {
		return handle(ctx, argument)
	}
	ctx, running := r.site.Begin(ctx, span, room)
	defer failure.End(span)
	defer running.End()
	return handle(ctx, argument)
}
