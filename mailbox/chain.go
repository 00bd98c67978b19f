// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"cmp"
	"encoding/binary"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/header"
)

// chainLimit bounds the chains of messages that share a trace: without it, a
// process that sends to itself would make one that never ends.
type chainLimit struct {
	hops int
	age  time.Duration
}

func (l chainLimit) withDefaults() chainLimit {
	return chainLimit{cmp.Or(l.hops, 256), cmp.Or(l.age, 30*time.Minute)}
}

func (l chainLimit) exceeded(h *header.Header) bool {
	return l.hops > 0 && h.Hops() > l.hops || l.age > 0 && h.Age() > l.age
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
