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

// Attributes of the spans that this package makes, beside those of a fan-out
// in package sampling.
const (
	// ProcessKindKey is the name of the process's kind; a string.
	ProcessKindKey = keys.ProcessKind
	// ProcessIDKey is the ID that the process was spawned with; a string,
	// absent if that is empty.
	ProcessIDKey = attribute.Key("waybill.process.id")
	// MessageTypeKey is the message's Go type without its package; a string.
	MessageTypeKey = attribute.Key("waybill.message.type")
	// QueueDurationKey is how long the message waited between its sending and
	// its handling, or its end without one; a double, in seconds.
	QueueDurationKey = keys.QueueDuration
	// LateReasonKey is why there is a span although its message was never handled:
	// refused_full, refused_stopped, refused_cancelled, dead_letter_killed,
	// dead_letter_failed, dead_letter_dropped or dead_letter_expired; although its
	// handling was not to be traced: error, panic, slow or waited; or, on a span
	// that stands for an answer, late_reply. A string.
	LateReasonKey = keys.LateReason
	// LateProbabilityKey is the probability with which a slow handling that counts
	// as one of a stratum came to count, if there were so many that not all do
	// ([sampling.Late]); a double in (0, 1). It is in the weight already.
	LateProbabilityKey = keys.LateProbability
	// LinkReasonKey is what a link is about; a string. Those called restart lead
	// from the first span after a restart to the handling that had failed, those
	// called chain from a trace to the one that it goes on from ([WithChainLimit]),
	// those called fanout from a recipient's to the broadcast's ([WithLinkedRoots]).
	// Package envelope has links called batch, and links called boundary, which package
	// propagate has too, beside local.
	LinkReasonKey = keys.LinkReason
	// FanoutSampledKey is how many recipients of a broadcast keep the trace; an int.
	FanoutSampledKey = keys.FanoutSampled
	// FanoutBudgetKey is how many recipients may keep the trace behind the relays
	// of a broadcast ([Group.BroadcastRelays]), all together; an int.
	FanoutBudgetKey = keys.FanoutBudget
	// FanoutMethodKey is how those were chosen: all; uniform; or systematic, by the
	// sizes of relays; a string.
	FanoutMethodKey = attribute.Key("waybill.fanout.method")
	// FanoutDeliveredKey is how many mailboxes took the broadcast; an int.
	FanoutDeliveredKey = attribute.Key("waybill.fanout.delivered")
	// FanoutRefusedKey is how many mailboxes refused the broadcast; an int.
	FanoutRefusedKey = keys.FanoutRefused
)

var (
	restartLink = []attribute.KeyValue{LinkReasonKey.String("restart")}
	chainLink   = []attribute.KeyValue{LinkReasonKey.String("chain")}
	fanoutLink  = []attribute.KeyValue{LinkReasonKey.String("fanout")}
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
	attrs = append(attrs, ProcessKindKey.String(p.kind.name), MessageTypeKey.String(message))
	if p.id != "" {
		attrs = append(attrs, ProcessIDKey.String(p.id))
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
		attrs = append(attrs, QueueDurationKey.Float64(now.Sub(s.header.SentAt()).Seconds()))
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
