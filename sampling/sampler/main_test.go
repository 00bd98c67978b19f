// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampler_test

import (
	"context"
	"encoding/binary"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/sampling/sampler"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// both runs test with next as it is, and wrapped.
func both(t *testing.T, next sdktrace.Sampler, test func(t *testing.T, r *recorder, wrapped bool)) {
	t.Helper()
	t.Run("bare", func(t *testing.T) { test(t, record(t, next), false) })
	t.Run("wrapped", func(t *testing.T) { test(t, record(t, sampler.Wrap(next)), true) })
}

// samplers are those that wrappers are tried around.
var samplers = map[string]sdktrace.Sampler{
	"parent-based ratio":  sdktrace.ParentBased(sdktrace.TraceIDRatioBased(0.5)),
	"parent-based always": sdktrace.ParentBased(sdktrace.AlwaysSample()),
	"parent-based never":  sdktrace.ParentBased(sdktrace.NeverSample()),
	"ratio":               sdktrace.TraceIDRatioBased(0.5),
	"always":              sdktrace.AlwaysSample(),
	"never":               sdktrace.NeverSample(),
	"forgetful":           forgetful{sdktrace.ParentBased(sdktrace.TraceIDRatioBased(0.5))},
	"recording":           sdktrace.AlwaysRecord(sdktrace.NeverSample()),
}

// forgetful is a sampler that leaves the tracestate empty.
type forgetful struct{ sdktrace.Sampler }

func (f forgetful) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	result := f.Sampler.ShouldSample(p)
	result.Tracestate = trace.TraceState{}
	return result
}

// unlucky makes trace IDs that ratio samplers below 0.9 do not choose.
type unlucky struct{ last atomic.Uint64 }

func (u *unlucky) NewIDs(ctx context.Context) (id trace.TraceID, _ trace.SpanID) {
	binary.BigEndian.PutUint64(id[:8], u.last.Add(1))
	binary.BigEndian.PutUint64(id[8:], 0xf0f0f0f0f0f0f0f0)
	return id, u.NewSpanID(ctx, id)
}

func (u *unlucky) NewSpanID(context.Context, trace.TraceID) (id trace.SpanID) {
	binary.BigEndian.PutUint64(id[:], u.last.Add(1))
	return id
}

// recorder holds the sampled spans that ended.
type recorder struct {
	spans    *tracetest.InMemoryExporter
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer // a user's
}

func record(t testing.TB, s sdktrace.Sampler) *recorder {
	t.Helper()
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(s), sdktrace.WithSyncer(spans),
		sdktrace.WithIDGenerator(new(unlucky)))
	t.Cleanup(func() { assert.NoError(t, provider.Shutdown(context.Background())) })
	return &recorder{spans, provider, provider.Tracer("test")}
}

// span starts and ends a span, and returns its context.
func (r *recorder) span(ctx context.Context, name string, opts ...trace.SpanStartOption) context.Context {
	ctx, span := r.tracer.Start(ctx, name, opts...)
	span.End()
	return ctx
}

// all returns all sampled spans called name.
func (r *recorder) all(name string) (found tracetest.SpanStubs) {
	for _, s := range r.spans.GetSpans() {
		if s.Name == name {
			found = append(found, s)
		}
	}
	return found
}

// one returns the only sampled span called name.
func (r *recorder) one(t *testing.T, name string) tracetest.SpanStub {
	t.Helper()
	found := r.all(name)
	require.Len(t, found, 1, "spans called %q", name)
	return found[0]
}

// attributes returns those of span by key, and fails the test if there are two
// of one.
func attributes(t *testing.T, span tracetest.SpanStub) map[attribute.Key]any {
	t.Helper()
	all := make(map[attribute.Key]any)
	for _, a := range span.Attributes {
		require.NotContains(t, all, a.Key, "attribute twice")
		all[a.Key] = a.Value.AsInterface()
	}
	return all
}

// spanContext is that of a span somewhere else in this process, in a trace that
// ratio samplers below 0.9 do not choose.
func spanContext(flags trace.TraceFlags) trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID:    trace.TraceID{1, 2, 3, 4, 5, 6, 7, 8, 0xf0, 10, 11, 12, 13, 14, 15, 16},
		SpanID:     trace.SpanID{1, 2, 3, 4, 5, 6, 7, 8},
		TraceFlags: flags,
	})
}

// below is a context in which a span has the context sc.
func below(sc trace.SpanContext) context.Context {
	return trace.ContextWithSpanContext(context.Background(), sc)
}

func parseState(t testing.TB, s string) trace.TraceState {
	t.Helper()
	state, err := trace.ParseTraceState(s)
	require.NoError(t, err)
	return state
}
