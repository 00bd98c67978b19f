// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package fanout

import (
	"fmt"
	"slices"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/waybill-go/waybill/internal/broadcast"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/observe"
)

// Stats counts what became of a fan-out's broadcasts that have ended.
type Stats struct {
	Broadcasts uint64 // parts included
	Delivered  uint64 // recipients that did not refuse
	Refused    uint64 // recipients that refused
	Sampled    uint64 // recipients that were sampled, refused ones included
	Unreached  uint64 // recipients that Begin was told of and Next was never asked for
	Dropped    uint64 // messages that were delivered and never handled ([Fanout.Drop])
	Unplanned  uint64 // recipients beyond those that Begin was told of
	Late       uint64 // late spans that were made
	LateShed   uint64 // late spans that were not made because there were too many
}

type counts struct {
	broadcasts, delivered, refused, sampled, unreached, unplanned, dropped, late, lateShed atomic.Uint64
}

// add counts a broadcast that was asked for so many recipients.
func (c *counts) add(d Delivery, asked int) {
	c.broadcasts.Add(1)
	addTo(&c.delivered, d.Delivered)
	addTo(&c.refused, d.Refused)
	addTo(&c.sampled, d.Sampled)
	addTo(&c.unreached, d.Size-asked)
	addTo(&c.unplanned, asked-d.Size)
}

func addTo(count *atomic.Uint64, n int) {
	if n > 0 {
		count.Add(uint64(n))
	}
}

// Stats returns what f has counted until now. Any number of goroutines may call it.
func (f *Fanout) Stats() Stats {
	c := &f.counts
	return Stats{
		Broadcasts: c.broadcasts.Load(), Delivered: c.delivered.Load(), Refused: c.refused.Load(),
		Sampled: c.sampled.Load(), Unreached: c.unreached.Load(), Unplanned: c.unplanned.Load(), Dropped: c.dropped.Load(),
		Late: c.late.Load(), LateShed: c.lateShed.Load(),
	}
}

var metrics = slices.Concat(observe.Of(func(s Stats) broadcast.Counts {
	return broadcast.Counts{Broadcasts: s.Broadcasts, Delivered: s.Delivered, Refused: s.Refused, Sampled: s.Sampled}
}, broadcast.Metrics), []observe.Field[Stats]{
	observe.NewField("waybill.fanout.unreached", "{recipient}", "Recipients that were announced and got nothing.",
		func(s *Stats) *uint64 { return &s.Unreached }),
	observe.NewField("waybill.fanout.unplanned", "{recipient}", "Recipients that were not announced, and so could not be sampled.",
		func(s *Stats) *uint64 { return &s.Unplanned }),
	observe.NewField("waybill.fanout.dropped", "{message}", "Messages that were delivered and never handled.",
		func(s *Stats) *uint64 { return &s.Dropped }),
	observe.NewField("waybill.fanout.late", "{span}", "Late spans of recipients that refused, or lost a message.",
		func(s *Stats) *uint64 { return &s.Late }),
	observe.NewField("waybill.fanout.late.shed", "{span}", "Late spans that were not made because there were too many.",
		func(s *Stats) *uint64 { return &s.LateShed }),
})

// RegisterMetrics reports f's [Stats] as OpenTelemetry metrics: observable counters, read
// whenever something collects, with the name of f (waybill.fanout.group) and with attrs,
// which are copied. To end the reports call Unregister on the result; until then f is kept
// in memory. RegisterMetrics fails if the meter does, if there is none, or if f is
// registered with it and the same attrs already. Then nothing is registered.
func (f *Fanout) RegisterMetrics(meter metric.Meter, attrs ...attribute.KeyValue) (metric.Registration, error) {
	registration, err := observe.Counters(&f.registry, meter, f.Stats, metrics,
		append([]attribute.KeyValue{keys.FanoutGroup.String(f.name)}, attrs...))
	if err != nil {
		return nil, fmt.Errorf("fanout: metrics: %w", err)
	}
	return registration, nil
}
