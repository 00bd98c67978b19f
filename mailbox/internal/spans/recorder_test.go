// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package spans_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/mailbox/internal/contexts"
	"github.com/waybill-go/waybill/mailbox/internal/spans"
	"github.com/waybill-go/waybill/sampling/sampler"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// letter is a type of message.
type letter struct{}

var (
	letters = reflect.TypeFor[letter]()
	sender  = trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{15: 1}, SpanID: trace.SpanID{7: 1}, TraceFlags: trace.FlagsSampled,
	})
	longAgo = time.Now().Add(-time.Minute)
)

// recorder has a tracer and a kind called "clerk", and holds the spans that ended.
type recorder struct {
	*spans.Tracer

	t     *testing.T
	ended *tracetest.InMemoryExporter
	kind  *spans.Kind
	late  *spans.Late
}

func record(t *testing.T, limit spans.ChainLimit) *recorder {
	t.Helper()
	ended := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(ended),
		sdktrace.WithSampler(sampler.Wrap(sdktrace.ParentBased(sdktrace.AlwaysSample()))))
	r := &recorder{spans.New(contexts.Base(), provider.Tracer("test"), limit), t, ended, nil, spans.NewLate()}
	r.kind = r.Kind("clerk", r.late)
	return r
}

// message returns a letter that carries h.
func (r *recorder) message(h *header.Header) *spans.Message {
	return &spans.Message{Kind: r.kind, Process: "7", Type: letters, Header: h}
}

// handle handles m, and returns its span.
func (r *recorder) handle(m *spans.Message, f spans.Failure) tracetest.SpanStub {
	r.t.Helper()
	_, span := m.StartHandling(m.Header.Context(contexts.Base()), trace.SpanContext{})
	require.NotNil(r.t, span)
	f.End(span)
	return r.one()
}

// one returns the only span that ended, and forgets it.
func (r *recorder) one() tracetest.SpanStub {
	r.t.Helper()
	ended := r.ended.GetSpans()
	require.Len(r.t, ended, 1)
	r.ended.Reset()
	return ended[0]
}

func (r *recorder) none() {
	r.t.Helper()
	require.Empty(r.t, r.ended.GetSpans())
}

// sampled returns the header of a message that was sent a minute ago.
func sampled() *header.Header {
	return header.Of(header.Content{SpanContext: sender, SentAt: longAgo, Hops: 1})
}

func attributes(span tracetest.SpanStub) map[attribute.Key]any {
	all := make(map[attribute.Key]any)
	for _, a := range span.Attributes {
		all[a.Key] = a.Value.AsInterface()
	}
	return all
}

// inTrace returns a context in the sender's trace.
func inTrace() context.Context { return trace.ContextWithSpanContext(context.Background(), sender) }
