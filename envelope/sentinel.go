// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"context"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/sentinel"
)

// Sentinel returns a span context that stands for "no trace". It is valid and not sampled. A
// handler of an untraced message has one in its context. If a span is started below it, the
// sampler of the span's provider decides what happens:
//
//   - A parent-based sampler records nothing. It is the default of the SDK and of most
//     programs. Calls over HTTP and gRPC go out unsampled. Without the sentinel, each of them
//     would become the sampled root of a trace of its own.
//   - TraceIDRatioBased below 99.6 % records nothing either.
//   - AlwaysSample records the span. The span and its children are a trace of their own, whose
//     parent is missing.
//   - Any sampler inside the wrapper of package sampling/sampler records nothing.
//
// The trace ID is 8 random bytes, ff, and seven zero bytes. Each call draws new random bytes,
// and so does each call of SpanContext on the span in a handler's context. It allocates
// nothing.
func Sentinel() trace.SpanContext { return sentinel.SpanContext() }

// IsSentinel reports whether sc is a [Sentinel] or a non-recording child of one, of this
// operating system process or of another.
func IsSentinel(sc trace.SpanContext) bool { return sentinel.Is(sc) }

// Untraced returns ctx with a [Sentinel] in place of its span, without its baggage, and without
// the caller that a boundary of package propagate has kept in it. If ctx is so already, it
// returns ctx itself and does not allocate.
func Untraced(ctx context.Context) context.Context { return header.Untraced(ctx) }
