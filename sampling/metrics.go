// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling

import (
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/guard"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/observe"
	"github.com/waybill-go/waybill/internal/sentinel"
	"github.com/waybill-go/waybill/internal/spanrate"
)

// Attributes of metrics: what a last resort belongs to.
const (
	groupKey = keys.FanoutGroup
	kindKey  = keys.ProcessKind
)

// shed is what a rate has shed.
type shed struct{ fanouts, spans uint64 }

var shedFigures = []observe.Field[shed]{
	observe.NewField("waybill.sampling.shed.fanouts", "{fanout}", "Fan-outs for which the last resort sampled nobody.",
		func(s *shed) *uint64 { return &s.fanouts }),
	observe.NewField("waybill.sampling.shed.spans", "{span}", "Recipients that those fan-outs would have sampled.",
		func(s *shed) *uint64 { return &s.spans }),
}

// whole is what is counted for the whole program.
type whole struct{ ignored, refused, recovered uint64 }

func readWhole() whole { return whole{fanout.Ignored(), sentinel.Refused(), guard.Recovered()} }

var wholeMetrics observe.Registry

var wholeFigures = []observe.Field[whole]{
	observe.NewField("waybill.sampling.ignored", "{reading}",
		"Readings of a tracestate whose member was malformed or out of sane bounds.",
		func(w *whole) *uint64 { return &w.ignored }),
	observe.NewField("waybill.sampling.roots.refused", "{span}",
		"Spans below untraced messages that the sampler kept from becoming roots.",
		func(w *whole) *uint64 { return &w.refused }),
	observe.NewField("waybill.plugins.panics", "{panic}",
		"Panics of what is plugged in, such as samplers, span processors and meters.",
		func(w *whole) *uint64 { return &w.recovered }),
}

// RegisterMetrics reports what the last resorts have shed as OpenTelemetry metrics. These
// are observable counters, read whenever something collects. Their names begin with
// waybill.sampling.shed. Each counter has the group (waybill.fanout.group) or the kind
// (waybill.process.kind) that it belongs to.
//
// Every measurement has attrs, which are copied. Controls that are registered with one
// meter need attributes that tell them apart. To end the reports call Unregister on the
// result; until then c is kept in memory. RegisterMetrics fails if the meter does, if
// there is none, or if c is registered with it and the same attrs already. Then nothing is
// registered.
func (c *Control) RegisterMetrics(meter metric.Meter, attrs ...attribute.KeyValue) (metric.Registration, error) {
	return registered(observe.Sums((*cells)(c).Metrics(), meter, c.shed, shedFigures, attrs))
}

// shed tells each what the rates of groups and kinds have shed.
func (c *Control) shed(each func(shed, ...attribute.KeyValue)) {
	kinds, groups := (*cells)(c).Rates()
	for key, rates := range map[attribute.Key]map[string]*spanrate.Rate{groupKey: groups, kindKey: kinds} {
		for name, rate := range rates {
			var s shed
			s.fanouts, s.spans = rate.Shed()
			each(s, key.String(name))
		}
	}
}

// RegisterMetrics reports what is counted for the whole program, so register it once:
//
//   - waybill.sampling.ignored counts how many times a tracestate said something malformed or
//     out of bounds about fan-outs, and was taken as if it said nothing.
//   - waybill.sampling.roots.refused counts the spans below untraced messages that the sampler
//     of package sampler kept from becoming roots. Other samplers count nothing.
//   - waybill.plugins.panics counts the panics of what is plugged in: samplers, span
//     processors, meters and callbacks. Each has cost a span, a value or a callback.
//
// All are observable counters. Otherwise RegisterMetrics is like [Control.RegisterMetrics].
func RegisterMetrics(meter metric.Meter, attrs ...attribute.KeyValue) (metric.Registration, error) {
	return registered(observe.Counters(&wholeMetrics, meter, readWhole, wholeFigures, attrs))
}

func registered(registration metric.Registration, err error) (metric.Registration, error) {
	if err != nil {
		return nil, fmt.Errorf("sampling: metrics: %w", err)
	}
	return registration, nil
}
