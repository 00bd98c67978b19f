// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampler

import (
	"slices"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/sampling"
)

// attributeCache keeps the attributes of a few fan-outs, because the spans of one
// mostly follow each other. Whoever misses it reads them from the tracestate.
type attributeCache [16]atomic.Pointer[knownAttributes]

type knownAttributes struct {
	member string
	attrs  []attribute.KeyValue // Never written again, and without room for more.
}

// of returns the attributes of a span below a fan-out, in a trace of that ID with
// that tracestate. They are shared and must not be changed.
func (c *attributeCache) of(id trace.TraceID, state trace.TraceState) []attribute.KeyValue {
	member := state.Get(sampling.MemberKey)
	if member == "" {
		return nil
	}
	place := &c[id[len(id)-1]%byte(len(c))]
	if known := place.Load(); known != nil && known.member == member {
		return known.attrs
	}
	attrs := sampling.FanoutFrom(state).Attributes(nil)
	if attrs != nil { // Else each reading of a bad member is to be counted.
		place.Store(&knownAttributes{member, slices.Clip(attrs)})
	}
	return attrs
}
