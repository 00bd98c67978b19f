// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling

import (
	"context"

	"go.opentelemetry.io/otel/trace"
)

type forceKey struct{}

// Force returns a context that asks the sampler of package sampler to sample the
// next span that is started with it, whatever else would decide.
func Force(ctx context.Context) context.Context {
	return context.WithValue(ctx, forceKey{}, trace.SpanContextFromContext(ctx))
}

// Forced reports whether ctx is one that [Force] returned, or derived from one
// without another span.
func Forced(ctx context.Context) bool {
	forced, ok := ctx.Value(forceKey{}).(trace.SpanContext)
	return ok && forced.Equal(trace.SpanContextFromContext(ctx))
}
