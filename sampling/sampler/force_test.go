// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampler_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/sampler"
)

// A late root is started from the handler of an untraced message, when all is over.
func TestForcedRoot(t *testing.T) {
	for name, next := range samplers {
		t.Run(name, func(t *testing.T) {
			both(t, next, func(t *testing.T, r *recorder, wrapped bool) {
				handler := envelope.Untraced(t.Context())
				began := time.Now().Add(-time.Second)
				ctx := r.span(sampling.Force(trace.ContextWithSpanContext(handler, trace.SpanContext{})), "late",
					trace.WithTimestamp(began), trace.WithLinks(trace.Link{SpanContext: spanContext(0)}))
				if !wrapped {
					samplesAll := name == "always" || name == "parent-based always"
					assert.Equal(t, samplesAll, trace.SpanContextFromContext(ctx).IsSampled())
					return
				}
				root := r.one(t, "late")
				assert.False(t, root.Parent.IsValid())
				assert.False(t, envelope.IsSentinel(root.SpanContext))
				assert.False(t, envelope.IsSentinel(root.SpanContext.WithTraceFlags(0)))
				assert.True(t, root.StartTime.Equal(began))
				assert.Len(t, root.Links, 1)
			})
		})
	}
}

// A root with a given trace ID has a parent without a span ID.
func TestForcedRootOfAGivenTrace(t *testing.T) {
	given := spanContext(0).WithSpanID(trace.SpanID{}).WithTraceState(parseState(t, "vendor=1"))
	for name, next := range samplers {
		t.Run(name, func(t *testing.T) {
			r := record(t, sampler.Wrap(next))
			r.span(sampling.Force(below(given)), "root")
			root := r.one(t, "root")
			assert.False(t, root.Parent.SpanID().IsValid())
			assert.Equal(t, given.TraceID(), root.SpanContext.TraceID())
			assert.Equal(t, "vendor=1", root.SpanContext.TraceState().String())
		})
	}
}

func TestForcedChildInAnUnsampledTrace(t *testing.T) {
	parent := spanContext(0).WithTraceState(parseState(t, "vendor=1,other=2"))
	for name, next := range samplers {
		t.Run(name, func(t *testing.T) {
			both(t, next, func(t *testing.T, r *recorder, wrapped bool) {
				ctx := r.span(sampling.Force(below(parent)), "late")
				if !wrapped {
					assert.Equal(t, name == "always", trace.SpanContextFromContext(ctx).IsSampled())
					return
				}
				late := r.one(t, "late")
				assert.Equal(t, parent.TraceID(), late.SpanContext.TraceID())
				assert.Equal(t, parent.SpanID(), late.Parent.SpanID())
				assert.Equal(t, "vendor=1,other=2", late.SpanContext.TraceState().String())
				assert.Empty(t, late.Attributes)
			})
		})
	}
}

// What is below a forced span is decided as ever, be it forced in the trace of
// another or a root.
func TestForceEndsWithItsSpan(t *testing.T) {
	for _, forced := range []struct {
		name  string
		start context.Context
	}{
		{"child", below(spanContext(0))},
		{"root", context.Background()},
		{"below the sentinel", below(envelope.Sentinel())},
	} {
		for name, next := range samplers {
			t.Run(forced.name+", "+name, func(t *testing.T) {
				r := record(t, sampler.Wrap(next))
				ctx, span := r.tracer.Start(sampling.Force(forced.start), "forced")
				require.True(t, span.SpanContext().IsSampled())
				assert.NotImplements(t, (*interface{ WaybillForced() })(nil), trace.SpanFromContext(ctx))

				bare := record(t, next)
				for what, opts := range map[string][]trace.SpanStartOption{
					"child": nil, "new root": {trace.WithNewRoot()},
				} {
					got := trace.SpanContextFromContext(r.span(ctx, what, opts...))
					want := trace.SpanContextFromContext(bare.span(below(span.SpanContext()), what, opts...))
					assert.Equal(t, want.IsSampled(), got.IsSampled(), what)
				}
				span.End()
				again := trace.SpanContextFromContext(r.span(forced.start, "again"))
				if name != "always" && name != "parent-based always" {
					assert.False(t, again.IsSampled(), "the context that was forced is as it was")
				}
			})
		}
	}
}

// The SDK shows no sampler the context of a span that is a new root.
func TestForceHasNoEffectOnNewRoots(t *testing.T) {
	r := record(t, sampler.Wrap(sdktrace.ParentBased(sdktrace.NeverSample())))
	for _, ctx := range []context.Context{t.Context(), below(spanContext(trace.FlagsSampled)), below(envelope.Sentinel())} {
		r.span(sampling.Force(ctx), "new root", trace.WithNewRoot())
	}
	assert.Empty(t, r.all("new root"))
}

func TestForceBelowARecordingSpan(t *testing.T) {
	r := record(t, sampler.Wrap(sdktrace.AlwaysRecord(sdktrace.TraceIDRatioBased(0.5))))
	ctx, parent := r.tracer.Start(t.Context(), "parent")
	require.True(t, parent.IsRecording())
	forced := sampling.Force(ctx)
	assert.True(t, trace.SpanFromContext(forced).IsRecording(), "the stand-in passes on what it is asked")
	assert.Equal(t, r.provider, trace.SpanFromContext(forced).TracerProvider())
	r.span(forced, "late")
	r.span(ctx, "early")
	parent.End()
	assert.Equal(t, parent.SpanContext().SpanID(), r.one(t, "late").Parent.SpanID())
	assert.Empty(t, r.all("early"))
	assert.Empty(t, r.all("parent"))
}
