// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/sampling/sampler"
)

// receiving is each way to have a span around what is received.
var receiving = map[string]func(ctx context.Context, ch chan envelope.Envelope[order], p trace.TracerProvider){
	"Receive": func(ctx context.Context, ch chan envelope.Envelope[order], p trace.TracerProvider) {
		for range envelope.Receive(ctx, ch, "receive", envelope.WithTracerProvider(p)) {
		}
	},
	"Handler": func(ctx context.Context, ch chan envelope.Envelope[order], p trace.TracerProvider) {
		handle := envelope.Handler(ctx, "receive",
			func(context.Context, order) error { return nil }, envelope.WithTracerProvider(p))
		for e := range ch {
			_ = handle(e)
		}
	},
	"BatchHandler": func(ctx context.Context, ch chan envelope.Envelope[order], p trace.TracerProvider) {
		handle := envelope.BatchHandler(ctx, "receive",
			func(context.Context, []envelope.Envelope[order]) error { return nil }, envelope.WithTracerProvider(p))
		for e := range ch {
			_ = handle([]envelope.Envelope[order]{e})
		}
	},
}

// What is received below a chosen recipient says how many it stands for, whether
// the sampler would say so or not, and once.
func TestReceivedSpansSayWhatTheyStandFor(t *testing.T) {
	chosen := fanout.Fanout{Weight: 100, Probability: 0.01, Size: 1000, Depth: 1}
	parentBased := sdktrace.ParentBased(sdktrace.AlwaysSample())
	for name, receive := range receiving {
		for wrapping, s := range map[string]sdktrace.Sampler{"bare": parentBased, "wrapped": sampler.Wrap(parentBased)} {
			for _, fanout := range []fanout.Fanout{{}, chosen} {
				t.Run(name+" "+wrapping, func(t *testing.T) {
					provider, recorder := newProvider(t, sdktrace.WithSampler(s))
					sc := spanContext(trace.FlagsSampled).WithTraceState(fanout.AddTo(trace.TraceState{}))
					ctx := trace.ContextWithSpanContext(t.Context(), sc)
					receive(t.Context(), filled(t, ctx, order{1}, order{2}), provider)

					require.Len(t, recorder.Ended(), 2)
					for _, span := range recorder.Ended() {
						var got []attribute.KeyValue
						for _, kv := range span.Attributes() {
							switch kv.Key {
							case keys.FanoutWeight, keys.FanoutRoundedWeight, keys.FanoutProbability, keys.FanoutSize, keys.FanoutDepth:
								got = append(got, kv)
							}
						}
						assert.Equal(t, fanout.Attributes(nil), got)
					}
				})
			}
		}
	}
}

// A total over what many recipients received is that of all messages, within what
// the weights say: with 200 spans of weight 100 it is 20,000, not 200.
func TestWeightsOfReceivedSpansAddUp(t *testing.T) {
	for name, receive := range receiving {
		t.Run(name, func(t *testing.T) {
			provider, recorder := newProvider(t)
			chosen := fanout.Fanout{Weight: 100, Probability: 0.01, Size: 20_000, Depth: 1}
			sc := spanContext(trace.FlagsSampled).WithTraceState(chosen.AddTo(trace.TraceState{}))
			ctx := trace.ContextWithSpanContext(t.Context(), sc)
			receive(t.Context(), filled(t, ctx, make([]order, 200)...), provider)

			var total float64
			for _, span := range recorder.Ended() {
				for _, kv := range span.Attributes() {
					if kv.Key == keys.FanoutWeight {
						total += kv.Value.AsFloat64()
					}
				}
			}
			assert.InDelta(t, 20_000, total, 0)
		})
	}
}
