// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/failure"
	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/guard"
	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/sampling"
)

var (
	restartLink = []attribute.KeyValue{keys.LinkReason.String("restart")}
	chainLink   = []attribute.KeyValue{keys.LinkReason.String("chain")}
	fanoutLink  = []attribute.KeyValue{keys.LinkReason.String("fanout")}
)

// traced reports whether ctx is in a sampled trace.
func traced(ctx context.Context) bool {
	sc := trace.SpanContextFromContext(ctx)
	return sc.IsSampled() && sc.IsValid()
}

func fanoutOf(sc trace.SpanContext) fanout.Fanout {
	return fanout.FromTraceState(sc.TraceState())
}

// undecided is whether a root may be started for a message that carries h: not
// if its sender is in a trace, sampled or not, or in a handling without one, nor
// if a choice did not fall on it.
func undecided(h *header.Header) bool {
	return !h.SpanContext().IsValid() && !h.Skipped().IsValid()
}

// decidedHeader is that of a message which carries nothing, because it was
// decided that it shall not.
var decidedHeader = (*header.Header)(nil).WithSpanContext(envelope.Sentinel())

// withDecision returns h, marked if ctx is in a trace or in a handling without
// one.
func withDecision(ctx context.Context, h *header.Header) *header.Header {
	if !undecided(h) || !trace.SpanContextFromContext(ctx).IsValid() {
		return h
	}
	if h == nil {
		return decidedHeader
	}
	return h.WithSpanContext(envelope.Sentinel())
}

// attributesFor describes a message to p and what it stands for, with room for
// five more.
func (p *process[M]) attributesFor(message string, fanout fanout.Fanout) []attribute.KeyValue {
	room := 8
	if fanout.Depth > 0 {
		room = 13
	}
	return p.describe(make([]attribute.KeyValue, 0, room), message, fanout)
}

// describe appends what describes a message to p and what it stands for.
func (p *process[M]) describe(
	attrs []attribute.KeyValue, message string, fanout fanout.Fanout,
) []attribute.KeyValue {
	attrs = append(attrs, keys.ProcessKind.String(p.kind.name), keys.MessageType.String(message))
	if p.id != "" {
		attrs = append(attrs, keys.ProcessID.String(p.id))
	}
	return fanout.Attributes(attrs)
}

// spanKind returns the kind of s's span: the handling that a caller waits for is
// INTERNAL; CONSUMER means that nobody waits.
func (s *slot[M]) spanKind() trace.SpanStartOption {
	if s.call != nil {
		return internalKind
	}
	return consumerKind
}

var (
	internalKind = trace.WithSpanKind(trace.SpanKindInternal)
	consumerKind = trace.WithSpanKind(trace.SpanKindConsumer)
)

// startHandling starts the span of handling s below whatever ctx holds. The span is
// nil if what was plugged in to make it panics, as that of startCall.
func (p *process[M]) startHandling(ctx context.Context, s *slot[M]) (context.Context, trace.Span) {
	now, sc := time.Now(), s.header.SpanContext()
	names := p.kind.namesOf(s.message)
	fanout := p.kind.sys.fanouts.of(s.header, sc)
	attrs, options := room(fanout.Depth > 0)
	attrs = p.describe(attrs, names.message, fanout)
	options = append(options, s.spanKind(), trace.WithTimestamp(now))
	if s.header.Sampled() {
		attrs = append(attrs, keys.QueueDuration.Float64(now.Sub(s.header.SentAt()).Seconds()))
	} else {
		options = append(options, trace.WithNewRoot())
	}
	switch {
	case s.header.Linked():
		ctx = sampling.Force(trace.ContextWithSpanContext(ctx, nextTrace(sc)))
		options = append(options, trace.WithLinks(trace.Link{SpanContext: sc, Attributes: fanoutLink}))
	case p.kind.sys.chain.exceeded(s.header):
		ctx = sampling.Force(trace.ContextWithSpanContext(ctx, nextTrace(sc)))
		options = append(options, trace.WithLinks(trace.Link{SpanContext: sc, Attributes: chainLink}))
	}
	if failed := p.failedSpan(); failed.IsValid() {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: failed, Attributes: restartLink}))
	}
	options = append(options, trace.WithAttributes(attrs...))
	return guard.Start(ctx, p.kind.sys.tracer, names.handling, options...)
}

// room returns room for what most handlings' spans are started with, in one
// allocation.
func room(chosen bool) ([]attribute.KeyValue, []trace.SpanStartOption) {
	if chosen {
		r := new(struct {
			attrs   [9]attribute.KeyValue
			options [3]trace.SpanStartOption
		})
		return r.attrs[:0], r.options[:0]
	}
	r := new(struct {
		attrs   [4]attribute.KeyValue
		options [3]trace.SpanStartOption
	})
	return r.attrs[:0], r.options[:0]
}

// recordFailure writes err onto span, if there is one. The stack of a panic is on
// the span of the handler that panicked, and on no other.
func recordFailure(span trace.Span, err error, panicked bool, opts ...trace.EventOption) {
	own, ok := err.(*PanicError) //nolint:errorlint // Only our own, unwrapped, is of this handler.
	switch {
	case ok && panicked:
		failure.Panic(span, own.Value, own.Stack, opts...)
	case err != nil:
		failure.Error(span, err, opts...)
	}
}

// finish ends span, after it has written err onto it if there is one.
func finish(span trace.Span, err error, panicked bool) {
	if err != nil {
		guard.Do(func() { recordFailure(span, err, panicked) })
	}
	guard.Do(func() { span.End() })
}

// startCall starts the span of a call, if its caller is traced.
func (p *process[M]) startCall(ctx context.Context, message M) (context.Context, trace.Span) {
	if !traced(ctx) {
		return ctx, nil
	}
	names := p.kind.namesOf(message)
	return guard.Start(ctx, p.kind.sys.tracer, names.calling,
		trace.WithAttributes(p.attributesFor(names.message, fanoutOf(trace.SpanContextFromContext(ctx)))...))
}
