// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampler

import (
	"slices"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/fanout"
)

// attributeCache keeps the attributes of a few fan-outs, because the spans of one
// mostly follow each other. Whoever misses it reads them from the tracestate.
type attributeCache [16]atomic.Pointer[knownAttributes]

// knownAttributes are those of spans below one fan-out. The slices are never
// written again, and have no room for more.
type knownAttributes struct {
	member   string
	weight   float64
	down, up []attribute.KeyValue // with the weight rounded down, and up
}

// drawn returns those of one span.
func (k *knownAttributes) drawn() []attribute.KeyValue {
	if fanout.RoundsUp(k.weight) {
		return k.up
	}
	return k.down
}

// of returns the attributes of a span below a fan-out, in a trace of that ID with
// that tracestate. They are shared and must not be changed.
func (c *attributeCache) of(id trace.TraceID, state trace.TraceState) []attribute.KeyValue {
	member := state.Get(fanout.TraceStateKey)
	if member == "" {
		return nil
	}
	place := &c[id[len(id)-1]%byte(len(c))]
	if known := place.Load(); known != nil && known.member == member {
		return known.drawn()
	}
	f := fanout.FromTraceState(state)
	if f.Depth == 0 { // Each reading of a bad member is to be counted.
		return nil
	}
	known := &knownAttributes{
		member, f.Weight,
		slices.Clip(f.AttributesRounded(nil, false)), slices.Clip(f.AttributesRounded(nil, true)),
	}
	place.Store(known)
	return known.drawn()
}
