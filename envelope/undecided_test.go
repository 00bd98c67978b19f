// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/header"
)

// handledOnce handles e in each way, in a context that has a trace and baggage of its own,
// and calls look with the context of the handling.
func handledOnce(
	t *testing.T, e envelope.Envelope[order], look func(t *testing.T, ctx context.Context), opts ...envelope.ReceiveOption,
) {
	t.Helper()
	receiver := withBaggage(t, trace.ContextWithSpanContext(t.Context(),
		spanContext(trace.FlagsSampled).WithSpanID(trace.SpanID{0xee})), "receiver")
	handledOnceIn(t, receiver, e, look, opts...)
}

func handledOnceIn(
	t *testing.T, receiver context.Context, e envelope.Envelope[order],
	look func(t *testing.T, ctx context.Context), opts ...envelope.ReceiveOption,
) {
	t.Helper()
	ch := make(chan envelope.Envelope[order], 1)
	ch <- e
	close(ch)
	for ctx := range envelope.Receive(receiver, ch, "r", opts...) {
		look(t, ctx)
	}
	handle := envelope.Handler(receiver, "r", func(ctx context.Context, _ order) error {
		look(t, ctx)
		return nil
	}, opts...)
	require.NoError(t, handle(e))
	handleBatch := envelope.BatchHandler(receiver, "r", func(ctx context.Context, _ []envelope.Envelope[order]) error {
		look(t, ctx)
		return nil
	}, opts...)
	require.NoError(t, handleBatch([]envelope.Envelope[order]{e, e}))
}

const ways = 3 // in which handledOnce handles the message

// TestRootSpans sends a message from every kind of sender to a receiver that may start
// traces.
func TestRootSpans(t *testing.T) {
	noIDs := trace.NewSpanContext(trace.SpanContextConfig{TraceFlags: trace.FlagsSampled})
	untraced, _ := envelope.Bare(order{}).Unwrap(t.Context())
	sampled := header.CarryPolicy{}.Header(sampledContext(t))
	for name, test := range map[string]struct {
		e    envelope.Envelope[order]
		root bool
	}{
		"bare":                   {envelope.Bare(order{1}), true},
		"no trace":               {envelope.Wrap(t.Context(), order{1}), true},
		"background":             {envelope.Wrap(context.Background(), order{1}), true},
		"no trace but baggage":   {envelope.Wrap(withBaggage(t, t.Context(), "acme"), order{1}), true},
		"no valid trace":         {envelope.Wrap(trace.ContextWithSpanContext(t.Context(), noIDs), order{1}), true},
		"unsampled":              {envelope.Wrap(unsampledContext(t), order{1}), false},
		"unsampled with baggage": {envelope.Wrap(withBaggage(t, unsampledContext(t), "acme"), order{1}), false},
		"unsampled and carried": {
			envelope.Wrap(unsampledContext(t), order{1}, envelope.CarryPolicy{Unsampled: true}), false,
		},
		"a handler without a trace": {envelope.Wrap(untraced, order{1}), false},
		"a sentinel from afar": {
			envelope.Wrap(trace.ContextWithSpanContext(t.Context(), envelope.Sentinel()), order{1}), false,
		},
		"shared header of an unsampled trace": {envelope.New(order{1}, envelope.NewHeader(unsampledContext(t))), false},
		"forwarded":                           {envelope.New(order{1}, envelope.Wrap(unsampledContext(t), order{0}).Header()), false},
		"skipped":                             {envelope.New(order{1}, (*envelope.Header)(sampled.Skip(false))), false},
		"skipped, and shown":                  {envelope.New(order{1}, (*envelope.Header)(sampled.Skip(true))), false},
	} {
		t.Run(name, func(t *testing.T) {
			provider, recorder := newProvider(t)
			with := envelope.WithTracerProvider(provider)
			handledOnce(t, test.e, func(t *testing.T, ctx context.Context) {
				t.Helper()
				assert.Equal(t, test.root, trace.SpanFromContext(ctx).IsRecording())
				assert.NotEqual(t, "receiver", baggage.FromContext(ctx).Member("customer").Value())
			}, with, envelope.WithRootSpans())
			if !test.root {
				assert.Empty(t, recorder.Started())
				return
			}
			require.Len(t, recorder.Ended(), ways)
			for _, s := range recorder.Ended() {
				assert.False(t, s.Parent().IsValid(), "a root, not a child of the receiver's own span")
				assert.Equal(t, trace.SpanKindConsumer, s.SpanKind())
				assert.Equal(t, "r", s.Name())
			}

			// Negative control: without the option none of them starts anything.
			handledOnce(t, test.e, func(t *testing.T, ctx context.Context) {
				t.Helper()
				assert.False(t, trace.SpanFromContext(ctx).IsRecording())
			}, with)
			assert.Len(t, recorder.Ended(), ways)
		})
	}
}

func TestRootSpansContinueASampledTrace(t *testing.T) {
	provider, recorder := newProvider(t)
	handledOnce(t, envelope.Wrap(sampledContext(t), order{1}), func(*testing.T, context.Context) {},
		envelope.WithTracerProvider(provider), envelope.WithRootSpans())
	require.Len(t, recorder.Ended(), ways)
	for _, s := range recorder.Ended() {
		assert.Equal(t, spanContext(0).SpanID(), s.Parent().SpanID())
	}
}

// The decision of the root's sampler goes on: what is sent from there starts no other trace.
func TestRootThatIsNotSampledIsADecision(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	never := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()))
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	handledOnce(t, envelope.Bare(order{1}), func(t *testing.T, ctx context.Context) {
		t.Helper()
		handledOnce(t, envelope.Wrap(ctx, order{2}), func(*testing.T, context.Context) {},
			envelope.WithTracerProvider(provider), envelope.WithRootSpans())
	}, envelope.WithTracerProvider(never), envelope.WithRootSpans())
	assert.Empty(t, recorder.Started())
}

// One message that was decided keeps a batch from starting a trace.
func TestRootSpanOfABatch(t *testing.T) {
	provider, recorder := newProvider(t)
	handle := envelope.BatchHandler(t.Context(), "b", func(context.Context, []envelope.Envelope[order]) error { return nil },
		envelope.WithTracerProvider(provider), envelope.WithRootSpans())
	bare, decided := envelope.Bare(order{1}), envelope.Wrap(unsampledContext(t), order{2})
	require.NoError(t, handle([]envelope.Envelope[order]{bare, decided, bare}))
	assert.Empty(t, recorder.Started())
	require.NoError(t, handle([]envelope.Envelope[order]{bare, bare}))
	assert.Len(t, recorder.Started(), 1)
}

func TestFromKeepsADecision(t *testing.T) {
	decided, sampled := envelope.NewHeader(unsampledContext(t)), envelope.NewHeader(sampledContext(t))
	for name, test := range map[string]struct {
		v    any
		want *envelope.Header
	}{
		"decided outside":          {envelope.New[any](order{1}, decided), decided},
		"decided inside":           {envelope.Bare[any](envelope.New(order{1}, decided)), decided},
		"decided around a sampled": {envelope.New[any](envelope.New(order{1}, sampled), decided), sampled},
		"sampled around a decided": {envelope.New[any](envelope.New(order{1}, decided), sampled), sampled},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := envelope.From[order](test.v)
			require.NoError(t, err)
			assert.Same(t, test.want, e.Header())
		})
	}
}

// TestOwnTrace has the receiver inside a traced request.
func TestOwnTrace(t *testing.T) {
	untraced, _ := envelope.Bare(order{}).Unwrap(t.Context())
	for name, test := range map[string]struct {
		e   envelope.Envelope[order]
		own bool
	}{
		"bare":                      {envelope.Bare(order{1}), true},
		"no trace":                  {envelope.Wrap(t.Context(), order{1}), true},
		"baggage":                   {envelope.Wrap(withBaggage(t, t.Context(), "acme"), order{1}), false},
		"unsampled":                 {envelope.Wrap(unsampledContext(t), order{1}), false},
		"a handler without a trace": {envelope.Wrap(untraced, order{1}), false},
		"sampled":                   {envelope.Wrap(sampledContext(t), order{1}), false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, opts := range [][]envelope.ReceiveOption{
				{envelope.WithOwnTrace()},
				{envelope.WithOwnTrace(), envelope.WithRootSpans()},
			} {
				provider, recorder := newProvider(t)
				request, span := provider.Tracer("test").Start(withBaggage(t, t.Context(), "receiver"), "request")
				opts = append(opts, envelope.WithTracerProvider(provider))
				handledOnceIn(t, request, test.e, func(t *testing.T, ctx context.Context) {
					t.Helper()
					assert.Equal(t, test.own, trace.SpanFromContext(ctx) == span)
					assert.Equal(t, test.own, baggage.FromContext(ctx).Member("customer").Value() == "receiver")
					envelope.RecordError(ctx, assert.AnError)
				}, opts...)
				span.End()
				if test.own {
					require.Len(t, recorder.Ended(), 1, "no span beside the request's")
					assert.Empty(t, recorder.Ended()[0].Events(), "the request has not failed")
				}
			}
		})
	}
}

// Without a trace of its own, a receiver has none to give.
func TestOwnTraceOfNone(t *testing.T) {
	provider, recorder := newProvider(t)
	with := envelope.WithTracerProvider(provider)
	handledOnceIn(t, t.Context(), envelope.Bare(order{1}), func(t *testing.T, ctx context.Context) {
		t.Helper()
		assert.True(t, envelope.IsSentinel(trace.SpanContextFromContext(ctx)))
	}, with, envelope.WithOwnTrace())
	assert.Empty(t, recorder.Started())
	handledOnceIn(t, t.Context(), envelope.Bare(order{1}), func(*testing.T, context.Context) {},
		with, envelope.WithOwnTrace(), envelope.WithRootSpans())
	assert.Len(t, recorder.Started(), ways)
}
