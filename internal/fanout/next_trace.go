// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package fanout

import (
	"encoding/binary"
	"math/rand/v2"

	"go.opentelemetry.io/otel/trace"
)

// NextTrace returns the parent of a root span in the trace that goes on from
// that of sc. It has no span ID, so it is no parent to samplers and exporters,
// and the SDK takes the trace ID from it. That keeps its lower half, which is the
// trace's share in all decisions by chance; the tracestate, which may say as much
// and what the trace stands for, stays as well.
func NextTrace(sc trace.SpanContext) trace.SpanContext {
	id := sc.TraceID()
	binary.NativeEndian.PutUint64(id[:8], rand.Uint64()|1)
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: id, TraceFlags: sc.TraceFlags(), TraceState: sc.TraceState(),
	})
}
