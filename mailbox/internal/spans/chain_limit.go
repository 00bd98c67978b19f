// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package spans

import (
	"cmp"
	"encoding/binary"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/header"
)

// ChainLimit bounds the chains of messages that share a trace: without it, a process
// that sends to itself would make one that never ends. Zero means 256 hops and 30
// minutes; less means no limit.
type ChainLimit struct {
	Hops int
	Age  time.Duration
}

func (l ChainLimit) withDefaults() ChainLimit {
	return ChainLimit{cmp.Or(l.Hops, 256), cmp.Or(l.Age, 30*time.Minute)}
}

func (l ChainLimit) exceeded(h *header.Header) bool {
	return l.Hops > 0 && h.Hops() > l.Hops || l.Age > 0 && h.Age() > l.Age
}

// nextTrace returns the parent of a root span in the trace that goes on from
// that of sc. It has no span ID, so it is no parent to samplers and exporters,
// and the SDK takes the trace ID from it. That keeps its lower half, which is the
// trace's share in all decisions by chance; the tracestate, which may say as much
// and what the trace stands for, stays as well.
func nextTrace(sc trace.SpanContext) trace.SpanContext {
	id := sc.TraceID()
	binary.NativeEndian.PutUint64(id[:8], rand.Uint64()|1)
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: id, TraceFlags: sc.TraceFlags(), TraceState: sc.TraceState(),
	})
}
