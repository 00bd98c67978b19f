// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"context"
	"iter"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/caller"
	"github.com/waybill-go/waybill/internal/failure"
	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/guard"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/scope"
)

// ReceiveOption configures [Receive], [Handler] and [BatchHandler].
type ReceiveOption interface {
	apply(receiveConfig) receiveConfig
}

type receiveConfig struct {
	provider trace.TracerProvider
}

type receiveOption func(receiveConfig) receiveConfig

func (o receiveOption) apply(c receiveConfig) receiveConfig { return o(c) }

// WithTracerProvider sets where spans are made. The default is the global
// provider at the time the loop begins or the handler is made.
func WithTracerProvider(provider trace.TracerProvider) ReceiveOption {
	return receiveOption(func(c receiveConfig) receiveConfig {
		c.provider = provider
		return c
	})
}

// Receive ranges over the messages that arrive on ch until ch is closed and
// empty or ctx ends; what is in ch then stays there. Each loop body has a
// context of its own: that of ctx, with the message's trace and baggage in
// place of ctx's. Around the body of a message with a sampled trace runs a
// span called name, of kind CONSUMER, a child of the sender's, which says how
// long the message waited and, below a fan-out whose choice fell on its sender,
// how many the span stands for (the attributes of package sampling, such as
// waybill.fanout.weight). It ends with the body, also when that breaks,
// returns, panics or calls [runtime.Goexit]; a panic sets its status, is
// recorded with its whole stack, and goes on. A sampler, span processor or
// exporter that panics costs the span and no message; OpenTelemetry's error
// handler is told. The span of a message of a stranger, which the boundary of its
// reader links (package wire), is a root with that link, and does not say how long the message waited,
// which only its sender could have told. The body of an untraced message
// runs without a span, with the [Sentinel] in its context, and without an
// allocation.
//
// Several goroutines may range over one channel, each with a Receive of its
// own or with the same one. The name should have few distinct values.
func Receive[M any](
	ctx context.Context, ch <-chan Envelope[M], name string, opts ...ReceiveOption,
) iter.Seq2[context.Context, M] {
	return func(yield func(context.Context, M) bool) {
		r := newReceiver(ctx, name, opts)
		for {
			e, ok := next(ctx, ch)
			if !ok {
				return
			}
			if !deliver(r, e, yield) {
				return
			}
		}
	}
}

// next waits for a message. An ended context goes first, so that a loop ends
// although its channel is never empty.
func next[M any](ctx context.Context, ch <-chan Envelope[M]) (e Envelope[M], ok bool) {
	if ctx.Err() != nil {
		return e, false
	}
	select {
	case e, ok = <-ch:
		return e, ok
	case <-ctx.Done():
		return e, false
	}
}

// receiver is what all messages of one loop or handler share.
type receiver struct {
	base   context.Context //nolint:containedctx // It lives as long as the loop or handler that was given it.
	name   string
	tracer trace.Tracer
}

func newReceiver(ctx context.Context, name string, opts []ReceiveOption) *receiver {
	var c receiveConfig
	for _, o := range opts {
		c = o.apply(c)
	}
	if c.provider == nil {
		c.provider = otel.GetTracerProvider()
	}
	return &receiver{base: Untraced(ctx), name: name, tracer: scope.Tracer(c.provider, "envelope")}
}

// deliver calls handle with e's message, in a span if its trace is sampled.
func deliver[M, R any](r *receiver, e Envelope[M], handle func(context.Context, M) R) R {
	ctx := e.header.Context(r.base)
	var span trace.Span
	switch {
	case e.header.Sampled():
		ctx, span = r.start(ctx, e.header.SentAt())
	case e.header.Caller() != nil:
		ctx, span = r.startRoot(ctx)
	default:
		return handle(ctx, e.message)
	}
	return within(ctx, span, e.message, handle)
}

// startRoot begins the span of the handling of a message that a boundary links. A
// provider of that boundary would add the link again, so it sees no caller.
func (r *receiver) startRoot(ctx context.Context) (context.Context, trace.Span) {
	c := caller.Of(ctx)
	below, span := r.start(caller.With(ctx, nil), time.Time{}, c.Options(nil)...)
	return caller.With(below, c), span
}

// start begins the span of a handling below whatever ctx holds, of what was
// sent at sentAt, if that is known. The span is nil if what was plugged in to make
// it panics.
func (r *receiver) start(
	ctx context.Context, sentAt time.Time, opts ...trace.SpanStartOption,
) (context.Context, trace.Span) {
	now := time.Now()
	attrs := make([]attribute.KeyValue, 0, 6)
	if !sentAt.IsZero() {
		attrs = append(attrs, keys.QueueDuration.Float64(now.Sub(sentAt).Seconds()))
	}
	attrs = fanout.FromTraceState(trace.SpanContextFromContext(ctx).TraceState()).Attributes(attrs)
	return guard.Start(ctx, r.tracer, r.name, append(opts,
		trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithTimestamp(now),
		trace.WithAttributes(attrs...),
	)...)
}

// within calls handle, and ends span with it, if there is one.
func within[A, R any](ctx context.Context, span trace.Span, argument A, handle func(context.Context, A) R) R {
	if span == nil {
		return handle(ctx, argument)
	}
	defer func() {
		if recovered := recover(); recovered != nil { // Goexit leaves nothing to recover.
			stack := debug.Stack()
			guard.Do(func() { failure.Panic(span, recovered, stack) })
			defer panic(recovered)
		}
		guard.Do(func() { span.End() })
	}()
	return handle(ctx, argument)
}
