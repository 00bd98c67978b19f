// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/mailbox"
)

// recorder holds the spans that ended.
type recorder struct {
	t        *testing.T
	spans    *tracetest.InMemoryExporter
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer // a user's
}

func record(t *testing.T, opts ...sdktrace.TracerProviderOption) *recorder {
	t.Helper()
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(append(opts, sdktrace.WithSyncer(spans))...)
	t.Cleanup(func() { assert.NoError(t, provider.Shutdown(context.Background())) })
	return &recorder{t, spans, provider, provider.Tracer("test")}
}

func (r *recorder) system(opts ...mailbox.SystemOption) *mailbox.System {
	return newSystem(r.t, append(opts, mailbox.WithTracerProvider(r.provider))...)
}

// start starts a root span, as the entry point of a service would.
func (r *recorder) start() (context.Context, trace.Span) {
	return r.tracer.Start(r.t.Context(), "root", trace.WithNewRoot())
}

// sent sends jobs in a trace of their own, which has ended then, and returns its root.
func (r *recorder) sent(ref mailbox.Ref[job], jobs ...job) trace.SpanContext {
	r.t.Helper()
	ctx, root := r.start()
	defer root.End()
	for _, j := range jobs {
		require.NoError(r.t, ref.Send(ctx, j))
	}
	return root.SpanContext()
}

// broadcast broadcasts j in a trace of its own, which has ended then.
func (r *recorder) broadcast(group *mailbox.Group[job], j job) mailbox.Delivery {
	ctx, root := r.start()
	defer root.End()
	return group.Broadcast(ctx, j)
}

// startSpan starts a span as users do, and ends it.
func (r *recorder) startSpan(ctx context.Context, name string) {
	_, span := r.tracer.Start(ctx, name)
	span.End()
}

// all returns all spans called name.
func (r *recorder) all(name string) (found tracetest.SpanStubs) {
	for _, s := range r.spans.GetSpans() {
		if s.Name == name {
			found = append(found, s)
		}
	}
	return found
}

// one returns the only span called name.
func (r *recorder) one(name string) tracetest.SpanStub {
	r.t.Helper()
	found := r.all(name)
	require.Len(r.t, found, 1, "spans called %q, of %v", name, r.names())
	return found[0]
}

func (r *recorder) names() (names []string) {
	for _, s := range r.spans.GetSpans() {
		names = append(names, s.Name)
	}
	return names
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

// requireChild checks that child is in parent's trace and right below it.
func requireChild(t *testing.T, parent trace.SpanContext, child tracetest.SpanStub) {
	t.Helper()
	require.Equal(t, parent.TraceID(), child.SpanContext.TraceID(), "%s: another trace", child.Name)
	require.Equal(t, parent.SpanID(), child.Parent.SpanID(), "%s: another parent", child.Name)
}
