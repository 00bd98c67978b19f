// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate

import (
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/waybill-go/waybill/internal/observe"
)

// figures are the fields of [Counts] as metrics.
var figures = []observe.Field[Counts]{
	observe.NewField("waybill.propagate.malformed", "{extraction}", "Extractions whose traceparent was malformed or repeated.",
		func(c *Counts) *uint64 { return &c.Malformed }),
	observe.NewField("waybill.propagate.tracestate.refused", "{extraction}", "Extractions whose tracestate was invalid.",
		func(c *Counts) *uint64 { return &c.TraceStateRefused }),
	observe.NewField("waybill.propagate.tracestate.cut", "{member}", "Members of a tracestate beyond what an injection may write.",
		func(c *Counts) *uint64 { return &c.TraceStateCut }),
	observe.NewField("waybill.propagate.baggage.refused", "{extraction}", "Extractions whose baggage had nothing valid in it, or was too long.",
		func(c *Counts) *uint64 { return &c.BaggageRefused }),
	observe.NewField("waybill.propagate.baggage.dropped", "{member}", "Members of baggage that were malformed, not allowed or beyond a limit.",
		func(c *Counts) *uint64 { return &c.BaggageDropped }),
	observe.NewField("waybill.propagate.unsampled.carried", "{context}", "Contexts of unsampled traces that were passed on by their identifiers alone.",
		func(c *Counts) *uint64 { return &c.UnsampledCarried }),
	observe.NewField("waybill.propagate.unsampled.dropped", "{context}", "Contexts of unsampled traces that were not passed on.",
		func(c *Counts) *uint64 { return &c.UnsampledDropped }),
	observe.NewField("waybill.propagate.boundary.linked", "{extraction}", "Extractions at a boundary that made a link of the caller's context.",
		func(c *Counts) *uint64 { return &c.BoundaryLinked }),
	observe.NewField("waybill.propagate.boundary.ignored", "{extraction}", "Extractions at a boundary that ignored the caller's context.",
		func(c *Counts) *uint64 { return &c.BoundaryIgnored }),
}

// RegisterMetrics reports what c counts as OpenTelemetry metrics: an observable
// counter for each field of [Counts], under a name that begins with
// waybill.propagate, read whenever something collects. Counting costs no more
// than before.
//
// Every measurement has attrs, which are copied: what is registered with one
// meter more than once, such as the counters of two listeners, needs attributes
// that tell it apart. To end the reports call Unregister on the result; until
// then c is kept. An error comes from the meter, from there being none, or from c
// being registered with it and the same attrs already, and then nothing is
// registered.
func (c *Counters) RegisterMetrics(meter metric.Meter, attrs ...attribute.KeyValue) (metric.Registration, error) {
	registration, err := c.or().tally.Register(meter, figures, attrs)
	if err != nil {
		return nil, fmt.Errorf("propagate: metrics: %w", err)
	}
	return registration, nil
}

// RegisterMetrics reports what p counts, as [Counters.RegisterMetrics] does. Where it stands
// beside counters that are registered with the same meter, such as those of its
// [Baggage] or the default ones, it needs attributes of its own.
func (p *SampledFirst) RegisterMetrics(meter metric.Meter, attrs ...attribute.KeyValue) (metric.Registration, error) {
	return p.counters.RegisterMetrics(meter, attrs...)
}
