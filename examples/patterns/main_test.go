// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package patterns_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/examples/patterns"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recording is what a test sends from, and what became of it.
type recording struct {
	*tracetest.SpanRecorder

	tracer trace.Tracer
}

// record makes a provider the global one until the test ends, as a program
// would.
func record(t *testing.T) recording {
	t.Helper()
	r := recording{SpanRecorder: tracetest.NewSpanRecorder()}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r))
	r.tracer = provider.Tracer("patterns")
	otel.SetTracerProvider(provider)
	t.Cleanup(func() {
		otel.SetTracerProvider(noop.NewTracerProvider())
		require.NoError(t, provider.Shutdown(context.Background()))
	})
	return r
}

// from calls send with the context of a sampled sender.
func (r recording) from(ctx context.Context, sender string, send func(context.Context)) {
	ctx, span := r.tracer.Start(ctx, sender)
	defer span.End()
	send(ctx)
}

// below is the names of the ended spans below others, with the names of those.
func (r recording) below(t *testing.T) map[string][]string {
	t.Helper()
	names := map[trace.SpanID]string{}
	for _, s := range r.Ended() {
		names[s.SpanContext().SpanID()] = s.Name()
	}
	below := map[string][]string{}
	for _, s := range r.Ended() {
		if parent := s.Parent(); parent.IsValid() {
			require.Contains(t, names, parent.SpanID())
			below[names[parent.SpanID()]] = append(below[names[parent.SpanID()]], s.Name())
		}
	}
	return below
}

func (r recording) named(t *testing.T, name string) sdktrace.ReadOnlySpan {
	t.Helper()
	var found sdktrace.ReadOnlySpan
	for _, s := range r.Ended() {
		if s.Name() == name {
			require.Nil(t, found, "two spans called %s", name)
			found = s
		}
	}
	require.NotNil(t, found, "no span called %s", name)
	return found
}

// waited is how long the message of s waited, in seconds.
func waited(t *testing.T, s sdktrace.ReadOnlySpan) float64 {
	t.Helper()
	for _, kv := range s.Attributes() {
		if kv.Key == attribute.Key("waybill.queue.duration") {
			return kv.Value.AsFloat64()
		}
	}
	require.Fail(t, "it does not say how long its message waited")
	return 0
}

type orders = chan envelope.Envelope[patterns.Order]

// log is the items of what was handled, in order, and whether each was traced.
type log []string

func (l *log) add(ctx context.Context, item string) {
	if trace.SpanFromContext(ctx).IsRecording() {
		item += ", traced"
	}
	*l = append(*l, item)
}

func (l *log) ship(ctx context.Context, o patterns.Order) error {
	l.add(ctx, "ship "+o.Item)
	return nil
}

func (l *log) pay(ctx context.Context, r patterns.Refund) error {
	l.add(ctx, "pay "+r.Item)
	return nil
}

func (l *log) has(t *testing.T, want ...string) {
	t.Helper()
	assert.Equal(t, log(want), *l)
}
