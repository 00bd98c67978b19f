// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package broadcast traces fan-outs, whatever brings the message to the recipients: it
// has the span of a fan-out, and gives each recipient its header. Package sampling/fanout
// and the groups of package mailbox are built on it.
package broadcast

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/guard"
	"github.com/waybill-go/waybill/internal/handling"
	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/keys"
)

// Broadcast is a fan-out by a sender that is traced. One goroutine at a time may use it.
type Broadcast struct {
	// Above is what the broadcast itself stands for.
	Above fanout.Fanout
	// Header is what the message takes along from the broadcast. If it is not sampled,
	// all recipients get it as it is: the sampler refused the broadcast's own span, or
	// what is plugged in failed.
	Header *header.Header

	span   trace.Span // nil if it could not be started
	linked bool
}

// Start starts the span of a broadcast to the recipients called group. ctx is the
// sender's context, which must be [header.Traced], and carry says what the message takes along.
// With linked each sampled recipient begins a trace of its own. The caller must call
// [Broadcast.End].
func Start(
	ctx context.Context, tracer trace.Tracer, group string, carry header.CarryPolicy, linked bool,
) (context.Context, *Broadcast) {
	handling.Check(ctx) // Before there is another span in it.
	above := fanout.FromTraceState(trace.SpanContextFromContext(ctx).TraceState())
	b := &Broadcast{Above: above, linked: linked}
	options := producerKind
	if b.Above.Depth > 0 {
		options = append(options[:1:1], trace.WithAttributes(b.attributesAbove()...))
	}
	ctx, b.span = guard.Start(ctx, tracer, "broadcast "+group, options...)
	b.Header = carry.HeaderWithDecision(ctx)
	if b.span == nil { // Below no broadcast, each recipient would keep the trace.
		b.Header = b.Header.WithSpanContext(trace.SpanContext{}).Decided()
	}
	return ctx, b
}

var producerKind = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindProducer)}

// attributesAbove describes what the broadcast stands for on its span. Size is left out:
// the span has its own, and not that of the fan-out above. A span that has a weight at
// its start is left alone by the sampler that would give it one.
func (b *Broadcast) attributesAbove() []attribute.KeyValue {
	return append(fanout.AppendWeight(make([]attribute.KeyValue, 0, 4), b.Above.Weight),
		keys.FanoutProbability.Float64(b.Above.Probability),
		keys.FanoutDepth.Int(b.Above.Depth),
	)
}

// Sampled returns the header for recipients that keep the trace, or begin one that is
// linked to it, and stand for f.
func (b *Broadcast) Sampled(f fanout.Fanout) *header.Header {
	if b.linked {
		sc := b.Header.SpanContext()
		return b.Header.WithSpanContext(sc.WithTraceState(f.Root(sc))).ForSampled(true)
	}
	return b.Continued(f)
}

// Continued returns the header for recipients that keep the trace and stand for f, also if
// others begin one that is linked to it.
func (b *Broadcast) Continued(f fanout.Fanout) *header.Header {
	sc := b.Header.SpanContext()
	return b.Header.WithSpanContext(sc.WithTraceState(f.AddTo(sc.TraceState()))).ForSampled(false)
}

// Skipped returns the headers for recipients that do not keep the trace. Those that
// might report to it with a late span get the first, which costs them a little; all
// others get the second. With unsampled they see the trace as one that is not sampled.
func (b *Broadcast) Skipped(unsampled bool) (reporting, silent *header.Header) {
	var sc trace.SpanContext
	if unsampled {
		sc = b.Header.SpanContext()
		sc = sc.WithTraceFlags(sc.TraceFlags() &^ trace.FlagsSampled)
	}
	return b.Header.Skip(unsampled), b.Header.WithSpanContext(sc)
}

// Result is what became of a broadcast.
type Result struct {
	Size, Sampled, Delivered, Refused int

	Method string // by which the sampled ones were chosen
	Shed   bool   // the fan-out was beyond a cap
	Relays bool   // the recipients are relays, behind which
	Budget int    // so many recipients may keep the trace
}

// Describe writes what became of the broadcast onto its span.
func (b *Broadcast) Describe(r Result) {
	if b.span == nil {
		return
	}
	attrs := make([]attribute.KeyValue, 0, 7)
	if r.Shed {
		attrs = append(attrs, keys.FanoutShed.Bool(true))
	}
	attrs = append(attrs,
		keys.FanoutSize.Int(r.Size),
		keys.FanoutSampled.Int(r.Sampled),
		keys.FanoutMethod.String(r.Method),
		keys.FanoutDelivered.Int(r.Delivered),
		keys.FanoutRefused.Int(r.Refused),
	)
	if r.Relays {
		attrs = append(attrs, keys.FanoutBudget.Int(r.Budget))
	}
	guard.Do(func() { b.span.SetAttributes(attrs...) })
}

// End ends the span.
func (b *Broadcast) End() {
	if b.span != nil {
		guard.Do(func() { b.span.End() })
	}
}
