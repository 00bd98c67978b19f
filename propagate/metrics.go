// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate

import (
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/waybill-go/waybill/internal/observe"
)

// figures are the metrics of [Counters.RegisterMetrics].
var figures = []observe.Counter[Counts]{
	{
		Name: "waybill.propagate.malformed", Unit: "{extraction}",
		Description: "Extractions whose traceparent was malformed or repeated.",
		Value:       func(c Counts) uint64 { return c.Malformed },
	},
	{
		Name: "waybill.propagate.tracestate.refused", Unit: "{extraction}",
		Description: "Extractions whose tracestate was invalid.",
		Value:       func(c Counts) uint64 { return c.TraceStateRefused },
	},
	{
		Name: "waybill.propagate.tracestate.cut", Unit: "{member}",
		Description: "Members of a tracestate beyond what an injection may write.",
		Value:       func(c Counts) uint64 { return c.TraceStateCut },
	},
	{
		Name: "waybill.propagate.baggage.refused", Unit: "{extraction}",
		Description: "Extractions whose baggage had nothing valid in it, or was too long.",
		Value:       func(c Counts) uint64 { return c.BaggageRefused },
	},
	{
		Name: "waybill.propagate.baggage.dropped", Unit: "{member}",
		Description: "Members of baggage that were malformed, not allowed or beyond a limit.",
		Value:       func(c Counts) uint64 { return c.BaggageDropped },
	},
	{
		Name: "waybill.propagate.unsampled.carried", Unit: "{context}",
		Description: "Contexts of unsampled traces that were passed on by their identifiers alone.",
		Value:       func(c Counts) uint64 { return c.UnsampledCarried },
	},
	{
		Name: "waybill.propagate.unsampled.dropped", Unit: "{context}",
		Description: "Contexts of unsampled traces that were not passed on.",
		Value:       func(c Counts) uint64 { return c.UnsampledDropped },
	},
	{
		Name: "waybill.propagate.boundary.linked", Unit: "{extraction}",
		Description: "Extractions at a boundary that made a link of the caller's context.",
		Value:       func(c Counts) uint64 { return c.BoundaryLinked },
	},
	{
		Name: "waybill.propagate.boundary.ignored", Unit: "{extraction}",
		Description: "Extractions at a boundary that ignored the caller's context.",
		Value:       func(c Counts) uint64 { return c.BoundaryIgnored },
	},
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
	registration, err := observe.Counters(&c.or().metrics, meter, c.or().Counts, figures, attrs)
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
