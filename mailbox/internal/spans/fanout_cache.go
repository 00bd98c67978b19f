// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package spans

import (
	"sync/atomic"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/header"
)

// fanoutCache knows what the recipients of the latest broadcasts stand for, lest
// each of them reads it from the tracestate. It is a convenience: what is not in it
// any more is read. It holds a few headers until others take their places.
type fanoutCache [16]atomic.Pointer[knownFanout]

type knownFanout struct {
	header *header.Header // That all of the sampled share.
	fanout fanout.Fanout
}

// place is where that of a trace may be: broadcasts at the same time are mostly in
// different ones.
func (c *fanoutCache) place(sc trace.SpanContext) *atomic.Pointer[knownFanout] {
	id := sc.TraceID()
	return &c[id[len(id)-1]%byte(len(c))]
}

// Share notes what those stand for who get h, because many of them do.
func (t *Tracer) Share(h *header.Header, f fanout.Fanout) {
	t.fanouts.place(h.SpanContext()).Store(&knownFanout{h, f})
}

// of returns what the message with h stands for, whose span context is sc.
func (c *fanoutCache) of(h *header.Header, sc trace.SpanContext) fanout.Fanout {
	if h.SampledByFanout() {
		if known := c.place(sc).Load(); known != nil && known.header == h {
			return known.fanout
		}
	}
	return fanoutOf(sc)
}
