// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package header

import (
	"context"

	"go.opentelemetry.io/otel/trace"
)

// Traced reports whether ctx is in a sampled trace.
func Traced(ctx context.Context) bool {
	sc := trace.SpanContextFromContext(ctx)
	return sc.IsSampled() && sc.IsValid()
}
