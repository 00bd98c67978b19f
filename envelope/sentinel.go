// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"context"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/sentinel"
)

// Sentinel returns a span context that stands for "no trace": valid and not
// sampled. A handler of an untraced message has one in its context. What a span
// that is started below it becomes depends on the sampler of the span's provider:
//
//   - A parent-based sampler, the default of the SDK and of most programs, records
//     nothing. Calls over HTTP and gRPC go out unsampled. Without the sentinel,
//     each of those would become the sampled root of a trace of its own.
//   - TraceIDRatioBased below 99.6 % samples nothing either.
//   - AlwaysSample records the span. It and its children are a trace of their own,
//     whose parent is missing.
//   - Any sampler inside the wrapper of package sampling/sampler samples nothing.
//
// The trace ID is 8 random bytes, ff, and seven zero bytes. The random bytes are
// drawn anew by each call, and each time that somebody asks the span in a
// handler's context for its span context. It allocates nothing.
func Sentinel() trace.SpanContext { return sentinel.SpanContext() }

// IsSentinel reports whether sc is a [Sentinel], of this operating system process
// or of another, or a non-recording child of one.
func IsSentinel(sc trace.SpanContext) bool { return sentinel.Is(sc) }

// Untraced returns ctx with a [Sentinel] in place of its span and without
// its baggage, and without a caller whom a boundary has put aside there. It returns
// ctx itself, without allocating, if ctx is so already.
func Untraced(ctx context.Context) context.Context { return header.Untraced(ctx) }
