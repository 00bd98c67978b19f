// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package forced asks the sampler of package sampling/sampler to sample a span.
package forced

import (
	"context"

	"go.opentelemetry.io/otel/trace"
)

// span stands in a context for the span that is current there. Whatever puts another span
// into the context so takes the mark away, which a value under a key of its own would
// outlive.
type span struct{ trace.Span }

// WaybillForced tells the sampler, to which the type is not known.
func (span) WaybillForced() {}

// With returns ctx with the request to sample what is started with it. Package sampling
// says what that means (Force).
func With(ctx context.Context) context.Context {
	if _, ok := trace.SpanFromContext(ctx).(span); ok {
		return ctx
	}
	return trace.ContextWithSpan(ctx, span{trace.SpanFromContext(ctx)})
}
