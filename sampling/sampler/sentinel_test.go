// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampler_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/sampler"
)

// abroad is the sentinel of another process, as a request brings it.
var abroad = trace.NewSpanContext(trace.SpanContextConfig{
	TraceID: trace.TraceID{1, 2, 3, 4, 5, 6, 7, 8, 0xff}, SpanID: trace.SpanID{9}, Remote: true,
})

func TestNothingIsSampledBelowTheSentinel(t *testing.T) {
	for where, sentinel := range map[string]trace.SpanContext{
		"here":                  envelope.Sentinel(),
		"back from elsewhere":   envelope.Sentinel().WithRemote(true),
		"of another process":    abroad,
		"with a tracestate":     envelope.Sentinel().WithTraceState(parseState(t, "vendor=1")),
		"a child from a remote": abroad.WithSpanID(trace.SpanID{10}),
	} {
		for name, next := range samplers {
			t.Run(where+", "+name, func(t *testing.T) {
				both(t, next, func(t *testing.T, r *recorder, wrapped bool) {
					ctx := below(sentinel)
					for range 3 { // Children of children, too.
						var span trace.Span
						ctx, span = r.tracer.Start(ctx, "work")
						span.End()
						assert.Equal(t, !wrapped && name == "always", span.SpanContext().IsSampled())
						assert.Equal(t, sentinel.TraceID(), span.SpanContext().TraceID())
						if wrapped {
							assert.False(t, span.IsRecording())
							assert.Equal(t, sentinel.TraceState(), span.SpanContext().TraceState())
						}
					}
				})
			})
		}
	}
}

// Only the sentinel's descendants are silenced; all others are decided by the
// wrapped sampler, whatever it makes of them.
func TestOtherParentsAreLeftToTheSampler(t *testing.T) {
	id := abroad.TraceID()
	id[15] = 1
	for what, ctx := range map[string]context.Context{
		"root":              context.Background(),
		"sampled":           below(spanContext(trace.FlagsSampled)),
		"unsampled":         below(spanContext(0)),
		"remote, sampled":   below(spanContext(trace.FlagsSampled).WithRemote(true)),
		"remote, unsampled": below(spanContext(0).WithRemote(true)),
		"almost a sentinel": below(abroad.WithTraceID(id)),
		"sampled sentinel":  below(abroad.WithTraceFlags(trace.FlagsSampled)),
		"trace ID alone":    below(spanContext(trace.FlagsSampled).WithSpanID(trace.SpanID{})),
		"unsampled ID":      below(spanContext(0).WithSpanID(trace.SpanID{})),
		"span ID alone":     below(spanContext(trace.FlagsSampled).WithTraceID(trace.TraceID{})),
	} {
		for name, next := range samplers {
			t.Run(what+", "+name, func(t *testing.T) {
				bare, wrapped := record(t, next), record(t, sampler.Wrap(next))
				want := trace.SpanContextFromContext(bare.span(ctx, "work"))
				got := trace.SpanContextFromContext(wrapped.span(ctx, "work"))
				assert.True(t, want.Equal(got), "%v, not %v", got, want)
				assert.Len(t, wrapped.all("work"), len(bare.all("work")))
			})
		}
	}
}

func TestForcedBelowTheSentinel(t *testing.T) {
	r := record(t, sampler.Wrap(sdktrace.ParentBased(sdktrace.NeverSample())))
	r.span(sampling.Force(below(envelope.Sentinel())), "late")
	assert.Equal(t, envelope.Sentinel().SpanID(), r.one(t, "late").Parent.SpanID())
}

// A whole service with AlwaysSample: handlers of untraced messages stay silent
// with the wrapper; without it, what each starts is a trace of its own.
func TestUntracedHandlersOfAServiceThatSamplesAlways(t *testing.T) {
	both(t, sdktrace.AlwaysSample(), func(t *testing.T, r *recorder, wrapped bool) {
		sys := mailbox.NewSystem(mailbox.WithTracerProvider(r.provider))
		worker, err := mailbox.Spawn(sys, "worker", func(ctx context.Context, name string) error {
			r.span(r.span(ctx, name), "nested")
			return nil
		})
		require.NoError(t, err)
		require.NoError(t, worker.Send(context.Background(), "own"))
		require.NoError(t, worker.Send(context.Background(), "own"))
		shutdown(t, sys)
		if wrapped {
			assert.Empty(t, r.spans.GetSpans())
			return
		}
		require.Len(t, r.spans.GetSpans(), 4)
		traces := make(map[trace.TraceID]int)
		for _, s := range r.spans.GetSpans() {
			traces[s.SpanContext.TraceID()]++
		}
		require.Len(t, traces, 2)
		for _, spans := range traces {
			assert.Equal(t, 2, spans)
		}
	})
}
