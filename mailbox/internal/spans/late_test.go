// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package spans_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/clock"
	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/mailbox/internal/spans"
	"github.com/waybill-go/waybill/sampling"
)

// everything returns settings with which every late span is made that can be.
func everything() *sampling.KindConfig {
	return &sampling.KindConfig{NoSpans: true, Late: sampling.Late{
		Failures: true, SlowerThan: time.Second, QueuedLongerThan: time.Minute, Roots: true, PerSecond: sampling.Unlimited,
	}}
}

func TestReasonsOfLateSpans(t *testing.T) {
	failed := spans.Failure{Err: errors.New("boom")}
	panicked := spans.Failure{Err: errors.New("boom"), Panicked: true}
	none := func(*sampling.Late) {}
	for _, test := range []struct {
		name     string
		handled  spans.Handled
		settings func(*sampling.Late)
		want     any
	}{
		{"all was well", spans.Handled{Took: time.Second - 1, Waited: time.Minute - 1}, none, nil},
		{"slow", spans.Handled{Took: time.Second}, none, "slow"},
		{"waited", spans.Handled{Waited: time.Minute}, none, "waited"},
		{"slow and waited", spans.Handled{Took: time.Second, Waited: time.Minute}, none, "slow"},
		{"an error", spans.Handled{Failure: failed, Took: time.Second}, none, "error"},
		{"a panic", spans.Handled{Failure: panicked, Took: time.Second}, none, "panic"},
		{"an error that nobody wants", spans.Handled{Failure: failed}, func(l *sampling.Late) { l.Failures = false }, nil},
		{"a slow error where slow ones count", spans.Handled{Failure: failed, Took: time.Second},
			func(l *sampling.Late) { l.CountSlow = true }, "slow"},
		{"slow is nothing", spans.Handled{Took: time.Hour}, func(l *sampling.Late) { l.SlowerThan = 0 }, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := record(t, spans.ChainLimit{})
			l := &everything().Late
			test.settings(l)
			r.message(sampled().Skip(false)).EndedLate(&test.handled, l)
			worth := test.handled.Err != nil || spans.TooLong(l, int64(test.handled.Took), int64(test.handled.Waited))
			if test.want == nil {
				r.none()
				return
			}
			assert.True(t, worth)
			span := r.one()
			assert.Equal(t, "clerk letter", span.Name)
			assert.Equal(t, sender.SpanID(), span.Parent.SpanID(), "in the trace that skipped it")
			assert.Equal(t, test.want, attributes(span)[keys.LateReason])
			weight := 0.0 // It is uncounted.
			if l.CountSlow {
				weight = 1
			}
			assert.InDelta(t, weight, attributes(span)[keys.FanoutWeight], 0)
			assert.Equal(t, test.handled.Took, span.EndTime.Sub(span.StartTime))
			if test.handled.Err != nil {
				assert.Equal(t, codes.Error, span.Status.Code)
			}
		})
	}
}

// Where slow ones count, they have the weight of the fan-outs above the last: with a
// span of their own, and without.
func TestSlowHandlingsCount(t *testing.T) {
	above := fanout.Fanout{}.Below(3, 6)
	sc := sender.WithTraceState(above.Below(5, 10).AddTo(sender.TraceState()))
	l := &everything().Late
	l.CountSlow = true
	t.Run("sampled", func(t *testing.T) {
		r := record(t, spans.ChainLimit{})
		m := r.message(header.Of(header.Content{SpanContext: sc, SentAt: longAgo, SampledByFanout: true}))
		_, span := m.StartHandling(m.Header.Context(context.Background()), trace.SpanContext{})
		m.EndedLate(&spans.Handled{Span: span, Took: time.Second}, l)
		span.End()
		assert.InDelta(t, 3, attributes(r.one())[keys.FanoutWeight], 1e-9)
		assert.EqualValues(t, 1, r.late.Slow())
	})
	t.Run("skipped", func(t *testing.T) {
		r := record(t, spans.ChainLimit{})
		skipped := sender.WithTraceState(above.AddTo(sender.TraceState()))
		r.message(header.Of(header.Content{SpanContext: skipped, SentAt: longAgo}).Skip(false)).
			EndedLate(&spans.Handled{Took: time.Second}, l)
		assert.InDelta(t, 3, attributes(r.one())[keys.FanoutWeight], 1e-9)
	})
	t.Run("with a probability beyond the bound", func(t *testing.T) {
		r := record(t, spans.ChainLimit{})
		bounded := *l
		bounded.PerSecond = 1
		m := r.message(sampled().Skip(false))
		const many = 2000
		total, probabilities := 0.0, 0
		for range many {
			m.EndedLate(&spans.Handled{Took: time.Second}, &bounded)
		}
		for _, span := range r.ended.GetSpans() {
			attrs := attributes(span)
			weight, _ := attrs[keys.FanoutWeight].(float64)
			total += weight
			if p, ok := attrs[keys.LateProbability].(float64); ok {
				probabilities++
				assert.InDelta(t, 1, weight*p, 1e-9)
			}
		}
		assert.Less(t, len(r.ended.GetSpans()), many/2)
		assert.Positive(t, probabilities)
		assert.Positive(t, total)
		assert.EqualValues(t, many, r.late.Slow())
	})
}

func TestLateSpansAreBounded(t *testing.T) {
	r := record(t, spans.ChainLimit{})
	l := &everything().Late
	l.PerSecond = 2
	for range 10 {
		r.message(sampled().Skip(false)).EndedLate(&spans.Handled{Waited: time.Hour}, l)
	}
	require.NotEmpty(t, r.ended.GetSpans())
	assert.EqualValues(t, 10, uint64(len(r.ended.GetSpans()))+r.late.Shed())
	assert.Less(t, len(r.ended.GetSpans()), 10)
}

// A message of a trace that is not sampled may leave a root, with a link to that.
func TestLateRoots(t *testing.T) {
	unsampled := sender.WithTraceFlags(0)
	for _, roots := range []bool{true, false} {
		r := record(t, spans.ChainLimit{})
		l := &everything().Late
		l.Roots = roots
		r.message(header.Of(header.Content{SpanContext: unsampled})).EndedLate(&spans.Handled{Waited: time.Hour}, l)
		if !roots {
			r.none()
			continue
		}
		span := r.one()
		assert.False(t, span.Parent.IsValid())
		require.Len(t, span.Links, 1)
		assert.Equal(t, sender.SpanID(), span.Links[0].SpanContext.SpanID())
		r.message(nil).EndedLate(&spans.Handled{Waited: time.Hour}, l)
		assert.Empty(t, r.one().Links, "it was in no trace")
	}
}

func TestMessageThatWasNeverHandled(t *testing.T) {
	sent := clock.Reading(longAgo)
	settings := everything()
	settings.NoSpans = false
	r := record(t, spans.ChainLimit{})
	for name, h := range map[string]*header.Header{"sampled": sampled(), "skipped": sampled().Skip(false)} {
		r.message(h).NeverHandled("refused_full", sent, settings)
		span := r.one()
		assert.Equal(t, sender.SpanID(), span.Parent.SpanID(), name)
		assert.WithinDuration(t, longAgo, span.StartTime, time.Second, name)
		assert.WithinDuration(t, time.Now(), span.EndTime, time.Minute, name)
		assert.Equal(t, codes.Error, span.Status.Code, name)
		assert.Equal(t, "refused_full", span.Status.Description, name)
		assert.Equal(t, "refused_full", attributes(span)[keys.LateReason], name)
		assert.Contains(t, attributes(span), keys.QueueDuration, name)
	}
	settings.Late.Failures = false
	r.message(sampled().Skip(false)).NeverHandled("refused_full", sent, settings)
	r.message(nil).NeverHandled("refused_full", sent, settings)
	r.none()
}

func TestLateReplyIsInTheCallersTrace(t *testing.T) {
	r := record(t, spans.ChainLimit{})
	m := r.message(nil)
	ctx, span := m.StartCall(inTrace())
	require.NotNil(t, span)
	span.End()
	call := r.one()
	assert.Equal(t, "call clerk letter", call.Name)
	assert.Equal(t, trace.SpanKindInternal, call.SpanKind)
	m.Header = header.CarryPolicy{}.Header(ctx)
	m.LateReply()
	reply := r.one()
	assert.Equal(t, "reply clerk letter", reply.Name)
	assert.Equal(t, call.SpanContext.SpanID(), reply.Parent.SpanID())
	assert.Equal(t, "late_reply", attributes(reply)[keys.LateReason])
	assert.NotContains(t, attributes(reply), keys.QueueDuration)

	_, span = m.StartCall(context.Background())
	assert.Nil(t, span, "the caller is not traced")
	m.Header = nil
	m.LateReply()
	r.none()
}
