// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/sampling/sampler"
)

// Variants of this row below a sampled recipient of a fan-out. The attributes of that
// are set by hand, or by the sampler.
const (
	rawWeighted  = "raw-weighted"
	oursWeighted = "ours-weighted"
)

// samplerRow measures spans that users start below a sampled parent, with the SDK's
// sampler and with our wrapper around it.
func samplerRow(ratios ...ratio) row {
	next := sdktrace.ParentBased(sdktrace.AlwaysSample())
	recipient := fanout.Fanout{Weight: 1000, Probability: 0.001, Size: 10_000, Depth: 1}
	attributes := trace.WithAttributes(recipient.Attributes(nil)...)
	return row{
		name: "sampler", about: "a user's span, with the SDK's sampler and with it wrapped; below a fan-out too",
		size: 1, ratios: ratios,
		variants: []variant{
			{raw, spansOf(next, fanout.Fanout{})},
			{ours, spansOf(sampler.Wrap(next), fanout.Fanout{})},
			{rawWeighted, spansOf(next, recipient, attributes)},
			{oursWeighted, spansOf(sampler.Wrap(next), recipient)},
		},
	}
}

// spansOf returns a contender that starts and ends spans below a parent that stands for
// f.
func spansOf(s sdktrace.Sampler, f fanout.Fanout, opts ...trace.SpanStartOption) func(int) (*contender, error) {
	return func(int) (*contender, error) {
		otel := newTelemetryWith(s)
		ctx := trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled,
			TraceState: f.AddTo(trace.TraceState{}),
		}))
		return &contender{
			run: func(times int) error {
				for range times {
					_, span := otel.tracer.Start(ctx, "work", opts...)
					span.End()
				}
				return nil
			},
			handled: otel.ended,
			tear:    func() error { return otel.provider.Shutdown(context.Background()) },
			traces:  otel, spans: [2]int{1, 1},
		}, nil
	}
}
