// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package spans

import (
	"math"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/clock"
	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/guard"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/planning"
	"github.com/waybill-go/waybill/internal/sentinel"
	"github.com/waybill-go/waybill/internal/threshold"
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

// AnyLate reports whether l makes any late spans of messages that were handled.
func AnyLate(l *sampling.Late) bool { return l.Failures || l.SlowerThan > 0 || l.QueuedLongerThan > 0 }

// Handled is how a handling went.
type Handled struct {
	Failure

	Span   trace.Span    // nil if there was none
	Took   time.Duration // by a clock that may be coarse
	Waited time.Duration // how long the message had waited before
}

// TooLong reports whether a handling may be worth a late span for the nanoseconds that
// it took, or that its message had waited. Hardly any is, and to find that out is all
// that the others pay.
func TooLong(l *sampling.Late, took, waited int64) bool {
	return l.SlowerThan > 0 && took >= int64(l.SlowerThan) || l.QueuedLongerThan > 0 && waited >= int64(l.QueuedLongerThan)
}

// slow reports whether a handling took as long as the settings call slow.
func (h *Handled) slow(l *sampling.Late) bool { return l.SlowerThan > 0 && h.Took >= l.SlowerThan }

// reason returns why a handling is worth a late span that does not count; "" if it is not.
func (h *Handled) reason(l *sampling.Late) string {
	switch {
	case l.Failures && h.Panicked:
		return latePanic
	case l.Failures && h.Err != nil:
		return lateError
	case h.slow(l):
		return lateSlow
	case l.QueuedLongerThan > 0 && h.Waited >= l.QueuedLongerThan:
		return lateWaiting
	default:
		return ""
	}
}

// EndedLate looks whether a handling of m that has ended just now is worth a late span,
// or if it has a span, whether that counts as a slow one. It does not end the handling's
// own span. It returns the late span that it makes, if it makes one.
func (m *Message) EndedLate(h *Handled, l *sampling.Late) (made trace.SpanContext) {
	slow := h.slow(l)
	if slow {
		m.Kind.totals.slow.Add(1)
	}
	switch {
	case h.Span == nil:
		reason := h.reason(l)
		if reason == "" {
			return made
		}
		var c standing
		parent, weight := m.above()
		if slow && l.CountSlow && parent.IsValid() {
			if c = m.Kind.totals.count(weight, l); c.weight > 0 {
				reason = lateSlow
			}
		}
		ended := time.Now()
		if span := m.startLate(reason, parent, c, ended.Add(-h.Took), h.Waited, l); span != nil {
			guard.Do(func() {
				h.record(span, trace.WithTimestamp(ended))
				span.End(trace.WithTimestamp(ended))
				made = span.SpanContext()
			})
		}
	case slow && l.CountSlow && m.Header.SampledByFanout():
		f := fanoutOf(m.Header.SpanContext())
		attrs := make([]attribute.KeyValue, 0, 4)
		attrs = append(attrs, keys.LateReason.String(lateSlow))
		attrs = m.Kind.totals.count(f.Weight*f.Probability, l).attributes(attrs)
		guard.Do(func() { h.Span.SetAttributes(attrs...) })
	}
	return made
}

// standing is what a late span stands for. The zero value is that of an uncounted span.
type standing struct {
	weight      float64
	probability float64 // with which it came to count
}

// count decides whether one more slow handling counts, and for how much: for
// weight, as long as there are not too many. It does not look at whether the
// handling has a span, which would make the choice of the fan-out one for this.
func (t *Totals) count(weight float64, settings *sampling.Late) standing {
	probability := 1.0
	if rate := planning.LatePerSecond(settings); !math.IsInf(rate, 1) {
		probability = t.stratum.Factor(rate, 1, time.Duration(clock.Now()))
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
func (m *Message) above() (parent trace.SpanContext, weight float64) {
	if parent = m.Header.Skipped(); parent.IsValid() {
		return parent, max(fanoutOf(parent).Weight, 1)
	}
	if !m.Header.Sampled() {
		return trace.SpanContext{}, 0
	}
	parent = m.Header.SpanContext() // Its kind has no spans but late ones.
	f := fanoutOf(parent)
	if m.Header.SampledByFanout() {
		return parent, f.Weight * f.Probability
	}
	return parent, max(f.Weight, 1)
}

// startLate starts the span of a message that has none: below parent, or in a trace of its own
// if that is not valid. c is what it stands for. It returns nil if that is not wanted, or beyond
// the bound.
func (m *Message) startLate(
	reason string, parent trace.SpanContext, c standing, start time.Time, waited time.Duration, l *sampling.Late,
) trace.Span {
	if !parent.IsValid() && !l.Roots {
		return nil
	}
	if c.weight == 0 && !m.Kind.totals.allow(reason, l) {
		m.Kind.totals.shed.Add(1)
		return nil
	}
	t, names := m.Kind.tracer, m.Kind.namesOf(m.Type)
	attrs := append(m.attributes(names, fanout.Fanout{}),
		keys.LateReason.String(reason), keys.QueueDuration.Float64(max(waited, 0).Seconds()))
	options := []trace.SpanStartOption{
		m.spanKind(), trace.WithTimestamp(start), trace.WithAttributes(c.attributes(attrs)...),
	}
	ctx := m.Header.Context(t.base)
	if parent.IsValid() {
		ctx = trace.ContextWithSpanContext(ctx, parent.WithTraceState(threshold.Clear(parent.TraceState())))
	} else {
		if sc := m.Header.SpanContext(); sc.IsValid() && !sentinel.Is(sc) {
			options = append(options, trace.WithLinks(trace.Link{SpanContext: sc}))
		}
		ctx = trace.ContextWithSpanContext(ctx, trace.SpanContext{})
	}
	_, span := guard.Start(sampling.Force(ctx), t.tracer, names.handling, options...)
	m.Kind.totals.countLate(reason, span)
	return span
}

// NeverHandled leaves a span where the handling of m would have been, from its sending
// until now, as the settings of its kind say. sent is the reading of package clock at the
// sending.
func (m *Message) NeverHandled(reason string, sent int64, settings *sampling.KindConfig) {
	if m.Header.Sampled() && !settings.NoSpans {
		m.fromSending(m.Kind.namesOf(m.Type).handling, reason, m.spanKind())
		return
	}
	if !settings.Late.Failures {
		return
	}
	ended := time.Now()
	waited := time.Duration(clock.Reading(ended) - sent)
	parent, _ := m.above()
	if span := m.startLate(reason, parent, standing{}, ended.Add(-waited), waited, &settings.Late); span != nil {
		endUnhandled(span, reason, ended)
	}
}

// endUnhandled ends the span of a message that was not handled for that reason.
func endUnhandled(span trace.Span, reason string, ended time.Time) {
	guard.Do(func() {
		span.SetStatus(codes.Error, reason)
		span.End(trace.WithTimestamp(ended))
	})
}

// fromSending makes a span below the one that the message carries, from its sending
// until now.
func (m *Message) fromSending(name, reason string, kind trace.SpanStartOption) {
	t, sc, ended := m.Kind.tracer, m.Header.SpanContext(), time.Now()
	attrs := append(m.attributes(m.Kind.namesOf(m.Type), fanoutOf(sc)), keys.LateReason.String(reason))
	if reason != lateReply {
		attrs = append(attrs, keys.QueueDuration.Float64(ended.Sub(m.Header.SentAt()).Seconds()))
	}
	_, span := guard.Start(m.Header.Context(t.base), t.tracer, name,
		kind, trace.WithTimestamp(m.Header.SentAt()), trace.WithAttributes(attrs...))
	m.Kind.totals.countLate(reason, span)
	if span != nil {
		endUnhandled(span, reason, ended)
	}
}
