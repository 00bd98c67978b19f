// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate

import "github.com/waybill-go/waybill/internal/observe"

// figures are what a [Counters] counts, each one a metric.
type figures struct {
	Malformed         uint64
	TraceStateRefused uint64
	TraceStateCut     uint64
	BaggageRefused    uint64
	BaggageDropped    uint64
	UnsampledCarried  uint64
	UnsampledDropped  uint64
	BoundaryLinked    uint64
	BoundaryIgnored   uint64
}

// metrics are the figures as metrics.
var metrics = []observe.Field[figures]{
	observe.NewField("waybill.propagate.malformed", "{extraction}", "Extractions whose traceparent was malformed or repeated.",
		func(f *figures) *uint64 { return &f.Malformed }),
	observe.NewField("waybill.propagate.tracestate.refused", "{extraction}", "Extractions whose tracestate was invalid.",
		func(f *figures) *uint64 { return &f.TraceStateRefused }),
	observe.NewField("waybill.propagate.tracestate.cut", "{member}", "Members of a tracestate that an injection left out beyond the 32nd, or an extraction because of a repeated key.",
		func(f *figures) *uint64 { return &f.TraceStateCut }),
	observe.NewField("waybill.propagate.baggage.refused", "{extraction}", "Extractions whose baggage had nothing valid in it, or was too long.",
		func(f *figures) *uint64 { return &f.BaggageRefused }),
	observe.NewField("waybill.propagate.baggage.dropped", "{member}", "Members of baggage that were malformed, not allowed, beyond a limit or repeated.",
		func(f *figures) *uint64 { return &f.BaggageDropped }),
	observe.NewField("waybill.propagate.unsampled.carried", "{context}", "Contexts of unsampled traces that were passed on by their identifiers alone.",
		func(f *figures) *uint64 { return &f.UnsampledCarried }),
	observe.NewField("waybill.propagate.unsampled.dropped", "{context}", "Contexts of unsampled traces that were not passed on.",
		func(f *figures) *uint64 { return &f.UnsampledDropped }),
	observe.NewField("waybill.propagate.boundary.linked", "{extraction}", "Extractions at a boundary that made a link of the caller's context.",
		func(f *figures) *uint64 { return &f.BoundaryLinked }),
	observe.NewField("waybill.propagate.boundary.ignored", "{extraction}", "Extractions at a boundary that ignored the caller's context.",
		func(f *figures) *uint64 { return &f.BoundaryIgnored }),
}
