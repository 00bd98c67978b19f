// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"math"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/gcra"
	"github.com/waybill-go/waybill/internal/guard"
	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/threshold"
	"github.com/waybill-go/waybill/mailbox/internal/clock"
	"github.com/waybill-go/waybill/sampling"
)

// A late span is made when all is over: for a message that was never handled, for
// an answer that nobody waited for, and for a handling that nobody had decided to
// trace but that turned out to be worth it ([sampling.Late]).

// Reasons of late spans, beside those of refused messages and dead letters.
const (
	lateReply   = "late_reply"
	lateError   = "error"
	latePanic   = "panic"
	lateSlow    = "slow"
	lateWaiting = "waited"
)

// lateReason returns why a handling is worth a late span; "" if it is not.
func lateReason(l *sampling.Late, h *handling, took, waited time.Duration) string {
	switch {
	case l.SlowerThan > 0 && took >= l.SlowerThan && l.CountSlow: // That counts; the others do not.
		return lateSlow
	case l.Failures && h.panicked:
		return latePanic
	case l.Failures && h.err != nil:
		return lateError
	case l.SlowerThan > 0 && took >= l.SlowerThan:
		return lateSlow
	case l.QueuedLongerThan > 0 && waited >= l.QueuedLongerThan:
		return lateWaiting
	default:
		return ""
	}
}

// tooLong reports whether a handling may be worth a late span for the nanoseconds
// that it took, or that its message had waited. Hardly any is, and to find that
// out is all that the others pay.
func tooLong(l *sampling.Late, took, waited int64) bool {
	return l.SlowerThan > 0 && took >= int64(l.SlowerThan) || l.QueuedLongerThan > 0 && waited >= int64(l.QueuedLongerThan)
}

// handledLate looks whether the handling h of s, which ended just now, is worth a
// late span, or if it has a span, whether that counts as a slow one.
func (p *process[M]) handledLate(s *slot[M], h *handling, l *sampling.Late) {
	took, waited := time.Duration(h.ended-h.begun), time.Duration(h.begun-s.sent)
	if l.SlowerThan > 0 && took >= l.SlowerThan {
		p.kind.totals.slow.Add(1)
	}
	reason := lateReason(l, h, took, waited)
	switch {
	case reason == "":
	case h.span == nil:
		now := time.Now()
		if span := p.startLate(s, reason, now.Add(-took), waited, l); span != nil {
			guard.Do(func() {
				recordFailure(span, h.err, h.panicked, trace.WithTimestamp(now))
				span.End(trace.WithTimestamp(now))
			})
		}
	case reason == lateSlow && l.CountSlow && s.header.Chosen():
		f := fanoutOf(s.header.SpanContext())
		attrs := make([]attribute.KeyValue, 0, 4)
		attrs = append(attrs, keys.LateReason.String(reason))
		attrs = p.stratum(f.Weight*f.Probability, l).attributes(attrs)
		guard.Do(func() { h.span.SetAttributes(attrs...) })
	}
}

// standing is what a late span stands for. The zero value is that of an uncounted span.
type standing struct {
	weight      float64
	probability float64 // with which it came to count
}

// stratum decides whether one more slow handling counts, and for how much: for
// weight, as long as there are not too many. It does not look at whether the
// handling has a span, which would make the choice of the fan-out one for this.
func (p *process[M]) stratum(weight float64, l *sampling.Late) standing {
	probability := 1.0
	if rate := l.Rate(); !math.IsInf(rate, 1) {
		probability = p.kind.totals.stratum.Factor(rate, 1, time.Duration(clock.Now()))
		if rand.Float64() >= probability {
			return standing{}
		}
	}
	return standing{weight / probability, probability}
}

func (c standing) attributes(dst []attribute.KeyValue) []attribute.KeyValue {
	if c.weight > 0 && c.probability < 1 {
		dst = append(dst, keys.LateProbability.Float64(c.probability))
	}
	return fanout.AppendWeight(dst, c.weight)
}

// above returns the sampled span that a late span of the message is below, and
// what it stands for if it is one of a stratum: that of all fan-outs but the
// last, be the choice what it may. The span context is not valid if there is none.
func (s *slot[M]) above() (parent trace.SpanContext, weight float64) {
	if parent = s.header.Skipped(); parent.IsValid() {
		return parent, max(fanoutOf(parent).Weight, 1)
	}
	if !s.header.Sampled() {
		return trace.SpanContext{}, 0
	}
	parent = s.header.SpanContext() // Its kind has no spans but late ones.
	f := fanoutOf(parent)
	if s.header.Chosen() {
		return parent, f.Weight * f.Probability
	}
	return parent, max(f.Weight, 1)
}

// startLate starts the span of a message that has none: in the trace that skipped
// it, or that it carries without spans, or in one of its own. It returns nil if
// that is not wanted, or beyond the bound.
func (p *process[M]) startLate(
	s *slot[M], reason string, start time.Time, waited time.Duration, l *sampling.Late,
) trace.Span {
	parent, weight := s.above()
	if !parent.IsValid() && !l.Roots {
		return nil
	}
	var c standing
	if l.CountSlow && reason == lateSlow && parent.IsValid() {
		c = p.stratum(weight, l)
	}
	if c.weight == 0 && !allow(&p.kind.totals.late, clock.Now(), l.Rate()) {
		p.kind.totals.lateShed.Add(1)
		return nil
	}
	names := p.kind.namesOf(s.message)
	attrs := append(p.attributesFor(names.message, fanout.Fanout{}),
		keys.LateReason.String(reason), keys.QueueDuration.Float64(max(waited, 0).Seconds()))
	options := []trace.SpanStartOption{
		s.spanKind(), trace.WithTimestamp(start), trace.WithAttributes(c.attributes(attrs)...),
	}
	ctx := s.header.Context(p.kind.sys.base)
	if parent.IsValid() {
		ctx = trace.ContextWithSpanContext(ctx, parent.WithTraceState(threshold.Clear(parent.TraceState())))
	} else {
		if sc := s.header.SpanContext(); sc.IsValid() && !envelope.IsSentinel(sc) {
			options = append(options, trace.WithLinks(trace.Link{SpanContext: sc}))
		}
		ctx = trace.ContextWithSpanContext(ctx, trace.SpanContext{})
	}
	_, span := guard.Start(sampling.Force(ctx), p.kind.sys.tracer, names.handling, options...)
	return span
}

// neverHandled leaves a span where the handling of s would have been, from its
// sending until now.
func (p *process[M]) neverHandled(s slot[M], reason string) {
	live := p.kind.live.Load()
	if s.header.Sampled() && live.Spans {
		names := p.kind.namesOf(s.message)
		p.fromSending(s.header, names.handling, names.message, reason, s.spanKind())
		return
	}
	if !live.Late.Failures {
		return
	}
	now := time.Now()
	sent := now.Add(time.Duration(s.sent - clock.Reading(now)))
	if span := p.startLate(&s, reason, sent, now.Sub(sent), &live.Late); span != nil {
		endUnhandled(span, reason, now)
	}
}

// endUnhandled ends the span of a message that was not handled for that reason.
func endUnhandled(span trace.Span, reason string, now time.Time) {
	guard.Do(func() {
		span.SetStatus(codes.Error, reason)
		span.End(trace.WithTimestamp(now))
	})
}

// lateReply stands in the trace of a call for an answer that nobody waited for
// any more, from the call until now.
func (p *process[M]) lateReply(names *messageNames, h *header.Header) {
	if h.Sampled() {
		p.fromSending(h, names.replying, names.message, lateReply, internalKind)
	}
}

// fromSending makes a span below h's from its sending until now.
func (p *process[M]) fromSending(h *header.Header, name, message, reason string, kind trace.SpanStartOption) {
	now := time.Now()
	attrs := append(p.attributesFor(message, fanoutOf(h.SpanContext())), keys.LateReason.String(reason))
	if reason != lateReply {
		attrs = append(attrs, keys.QueueDuration.Float64(now.Sub(h.SentAt()).Seconds()))
	}
	_, span := guard.Start(h.Context(p.kind.sys.base), p.kind.sys.tracer, name,
		kind, trace.WithTimestamp(h.SentAt()), trace.WithAttributes(attrs...))
	if span != nil {
		endUnhandled(span, reason, now)
	}
}

// allow reports whether one more is within perSecond at now, in nanoseconds, with a
// second's worth at once.
func allow(l *gcra.Limiter, now int64, perSecond float64) bool {
	if math.IsInf(perSecond, 1) {
		return true
	}
	const longest = 1 << 60 // ns, some 36 years: more would overflow.
	interval := int64(min(float64(time.Second)/perSecond, longest))
	return l.Admit(now, interval, max(int64(time.Second)-interval, 0))
}

// defaultControl is that of systems which were given none.
func defaultControl() *sampling.Control {
	c, err := sampling.NewControl(sampling.DefaultConfig())
	if err != nil {
		panic(err) // It cannot be: a test makes one.
	}
	return c
}
