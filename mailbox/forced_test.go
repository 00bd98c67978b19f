// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/threshold"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/sampler"
)

// noHandlings samples roots and broadcasts, and refuses the spans of handlings.
type noHandlings struct{}

func (noHandlings) Description() string { return "NoHandlings" }
func (noHandlings) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	result := sdktrace.SamplingResult{Tracestate: trace.SpanContextFromContext(p.ParentContext).TraceState()}
	if p.Name == "root" || strings.HasPrefix(p.Name, "broadcast ") {
		result.Decision = sdktrace.RecordAndSample
	}
	return result
}

// whether runs test with a sampler, wrapped and not: what is forced is there with the
// wrapper, and what the sampler refuses is not there without it.
func whether(t *testing.T, s sdktrace.Sampler, test func(t *testing.T, rec *recorder, forced bool)) {
	t.Helper()
	for _, forced := range []bool{true, false} {
		inBubble(t, func(t *testing.T) {
			s := s
			if forced {
				s = sampler.Wrap(s)
			}
			test(t, record(t, sdktrace.WithSampler(s)), forced)
		})
	}
}

// withState returns a context in a sampled trace from elsewhere, with that tracestate.
func withState(t *testing.T, text string) (context.Context, trace.TraceState) {
	t.Helper()
	state, err := trace.ParseTraceState(text)
	require.NoError(t, err)
	sampled := unsampled.WithTraceFlags(trace.FlagsSampled)
	return trace.ContextWithRemoteSpanContext(t.Context(), sampled.WithTraceState(state)), state
}

// The late span of a skipped recipient is forced, and its trace's threshold is not its
// own.
func TestLateSpanOfASkippedRecipientIsForced(t *testing.T) {
	whether(t, noHandlings{}, func(t *testing.T, rec *recorder, forced bool) {
		sys := rec.system(mailbox.WithControl(controlOf(t, sampling.KindConfig{Late: sampling.Late{Failures: true}})))
		group := newGroup[job](t, sys, "workers", rarely)
		require.NoError(t, group.Join(spawn(t, sys, "worker", do)))
		ctx, state := withState(t, "ot=th:8;rv:6e6d1a75832a2f,vendor=1")
		require.Zero(t, group.Broadcast(ctx, fails).Sampled)
		settle()
		if spans := rec.all("worker job"); forced && assert.Len(t, spans, 1) {
			requireChild(t, rec.one("broadcast workers").SpanContext, spans[0])
			assert.Equal(t, "ot=rv:6e6d1a75832a2f,vendor=1", spans[0].SpanContext.TraceState().String())
		} else if !forced {
			assert.Empty(t, spans)
		}
		assert.Equal(t, state.String(), rec.one("broadcast workers").SpanContext.TraceState().String())
		drain(t, sys)
	})
}

// So is the first span of a trace that goes on from a chain that was cut.
func TestNextTraceOfAChainIsForced(t *testing.T) {
	whether(t, sdktrace.ParentBased(noHandlings{}), func(t *testing.T, rec *recorder, forced bool) {
		sys := rec.system(mailbox.WithChainLimit(1, 0))
		ref := spawn(t, sys, "worker", do)
		rec.sent(ref, sendAgain(t, 3, 0))
		settle()
		spans := rec.all("worker job")
		want := []int{1} // That of the old trace.
		if forced {
			want = []int{1, 2, 1}
		}
		assert.Equal(t, want, lengthsOf(tracesOf(t, spans)))
		drain(t, sys)
	})
}

// So are the linked roots of chosen recipients.
func TestLinkedRootsAreForced(t *testing.T) {
	whether(t, noHandlings{}, func(t *testing.T, rec *recorder, forced bool) {
		sys := rec.system()
		group := linkedWorkers(t, sys, 5, sampling.GroupConfig{Curve: sampling.Always()})
		rec.broadcast(group, nothing)
		settle()
		assert.Len(t, rec.all("worker job"), map[bool]int{true: 5}[forced])
		drain(t, sys)
	})
}

// Where the trace states with what probability it was sampled, so does the root of a
// recipient: as many times less as it stands for. What else the tracestate says is
// about the trace, and stays there.
func TestLinkedRootsStateTheirProbability(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		sys := rec.system()
		group := linkedWorkers(t, sys, 100, sampling.GroupConfig{})
		ctx, _ := withState(t, "ot=th:8;rv:9e6d1a75832a2f,vendor=1")
		require.Equal(t, 10, group.Broadcast(ctx, nothing).Sampled)
		settle()
		for _, span := range rec.all("worker job") {
			p, ok := threshold.Probability(span.SpanContext.TraceState())
			assert.True(t, ok)
			assert.InEpsilon(t, 0.5*0.1, p, 1e-9)
			assert.InDelta(t, 10, fanout.FromTraceState(span.SpanContext.TraceState()).Weight, 0)
			assert.Empty(t, span.SpanContext.TraceState().Get("vendor"))
		}
		drain(t, sys)
	})
}

// The late root of an unsampled trace is linked to that, where it is known.
func TestLateRootIsLinkedToItsTrace(t *testing.T) {
	for _, carried := range []bool{true, false} {
		inBubble(t, func(t *testing.T) {
			rec := record(t, sdktrace.WithSampler(sampler.Wrap(sdktrace.NeverSample())))
			late := sampling.Late{SlowerThan: time.Second, CountSlow: true, Roots: true}
			control := controlOf(t, sampling.KindConfig{Late: late})
			sys := rec.system(mailbox.WithControl(control), mailbox.WithCarry(envelope.CarryPolicy{Unsampled: carried}))
			ref := spawn(t, sys, "worker", do)
			require.NoError(t, ref.Send(trace.ContextWithSpanContext(context.Background(), unsampled), sleepFor(time.Minute)))
			time.Sleep(time.Hour)
			span := rec.one("worker job")
			assert.False(t, span.Parent.IsValid())
			assert.Zero(t, attributes(t, span)[keys.FanoutWeight], "a stratum is one of a fan-out")
			if carried {
				require.Len(t, span.Links, 1)
				assert.Equal(t, unsampled.TraceID(), span.Links[0].SpanContext.TraceID())
			} else {
				assert.Empty(t, span.Links)
			}
			drain(t, sys)
		})
	}
}
