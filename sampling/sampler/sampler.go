// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampler

import (
	"slices"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/sentinel"
)

type wrapper struct {
	next  sdktrace.Sampler
	known *attributeCache
}

var _ sdktrace.Sampler = wrapper{}

// Wrap returns a sampler that leaves decisions to next, but for what the package
// documentation lists. If next is nil, it is the SDK's default,
// ParentBased(AlwaysSample()).
func Wrap(next sdktrace.Sampler) sdktrace.Sampler {
	if next == nil {
		next = sdktrace.ParentBased(sdktrace.AlwaysSample())
	}
	return wrapper{next, new(attributeCache)}
}

// ShouldSample implements sdktrace.Sampler.
func (w wrapper) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	span := trace.SpanFromContext(p.ParentContext)
	parent := span.SpanContext()
	_, forced := span.(interface{ WaybillForced() }) // By sampling.Force.
	var result sdktrace.SamplingResult               // The zero value drops.
	switch {
	case forced:
		result.Decision = sdktrace.RecordAndSample
	case sentinel.Is(parent):
		sentinel.Refuse()
	default:
		result = w.next.ShouldSample(p)
	}
	inherited := parent.TraceState()
	if inherited.Len() == 0 || parent.TraceID() != p.TraceID {
		return result
	}
	if result.Tracestate.Len() == 0 {
		result.Tracestate = inherited
	}
	if result.Decision != sdktrace.Drop && !weighted(p.Attributes) && !weighted(result.Attributes) {
		attrs := w.known.of(p.TraceID, inherited)
		if len(result.Attributes) > 0 {
			// Clipped, lest the append writes into what next may share between its results.
			attrs = append(slices.Clip(result.Attributes), attrs...)
		}
		result.Attributes = attrs
	}
	return result
}

// Description implements sdktrace.Sampler.
func (w wrapper) Description() string { return "Waybill{" + w.next.Description() + "}" }

// weighted reports whether attrs say already what their span stands for.
func weighted(attrs []attribute.KeyValue) bool {
	return slices.ContainsFunc(attrs, func(a attribute.KeyValue) bool { return a.Key == keys.FanoutWeight })
}
