// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package placement

import (
	"fmt"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/waybill-go/waybill/internal/observe"
)

// Stats counts what a node does to place the processes of a kind.
type Stats struct {
	Nodes      uint64 // that offer to run the kind now, as far as this one knows
	Placed     uint64 // processes that this node owns now
	References uint64 // to processes on other nodes, now

	Claimed    uint64 // processes that this node became the owner of
	TakenOver  uint64 // those of them that a node had that is gone
	Released   uint64 // processes that it gave up, because they had ended or the node left
	HandedOver uint64 // those of them that another node owned at once
	Forwarded  uint64 // messages that were handed on to the next owner
	Lost       uint64 // messages that waited for the next owner in vain
	Followed   uint64 // times that a reference found its process on another node, or again

	Renewals  uint64 // of the node's lease
	Failures  uint64 // of the store, to renew or to watch
	Fenced    uint64 // times that the node lost its lease
	Killed    uint64 // processes that it lost with it
	Declined  uint64 // messages that they did not handle any more
	Removed   uint64 // sessions of other nodes that this one found to be over
	Conflicts uint64 // changes of the store that another node was faster with
	Foreign   uint64 // records and requests that were not written by this package, and were ignored
}

// Stats returns what has been counted so far. Each figure is exact. Together they may be of
// slightly different moments.
func (k *Kind[M]) Stats() Stats {
	var s Stats
	for _, f := range []struct{ to, from *uint64 }{
		{&s.Released, &k.counts.Released}, {&s.HandedOver, &k.counts.HandedOver}, {&s.Forwarded, &k.counts.Forwarded},
		{&s.Lost, &k.counts.Lost}, {&s.Followed, &k.counts.Followed}, {&s.Killed, &k.counts.Killed},
		{&s.Declined, &k.counts.Declined}, {&s.Foreign, &k.counts.Foreign},
	} {
		*f.to = atomic.LoadUint64(f.from)
	}
	c := k.member.Counts()
	s.Claimed, s.TakenOver, s.Renewals, s.Failures = c.Claimed.Load(), c.TakenOver.Load(), c.Renewals.Load(), c.RenewalFailures.Load()
	s.Fenced, s.Removed, s.Conflicts = c.Fenced.Load(), c.Removed.Load(), c.Conflicts.Load()
	s.Foreign += c.Foreign.Load()
	s.Nodes = uint64(len(k.member.View().Alive()))
	k.mu.RLock()
	defer k.mu.RUnlock()
	s.Placed, s.References = uint64(len(k.placed)), uint64(len(k.known))
	return s
}

// RegisterMetrics reports the counts of [Kind.Stats] as OpenTelemetry metrics. They are
// observable, and their names begin with waybill.placement. Every measurement has attrs,
// which are copied: kinds that are registered with one meter need attributes that tell them
// apart. To end the reports call Unregister on the result, which keeps the kind until then.
// There is an error if the meter returns one, if it is nil, or if the kind is registered
// with it and the same attrs already. Then nothing is registered.
func (k *Kind[M]) RegisterMetrics(meter metric.Meter, attrs ...attribute.KeyValue) (metric.Registration, error) {
	registration, err := observe.Counters(&k.metrics, meter, k.Stats, figures, attrs)
	if err != nil {
		return nil, fmt.Errorf("placement: metrics: %w", err)
	}
	return registration, nil
}

// figures are the metrics of all that [Stats] counts.
var figures = []observe.Field[Stats]{
	figure("nodes", "{node}", "Nodes that offer to run the kind.", func(s *Stats) *uint64 { return &s.Nodes }).Falling(),
	figure("placed", "{process}", "Processes that the node owns.", func(s *Stats) *uint64 { return &s.Placed }).Falling(),
	figure("references", "{reference}", "References to processes on other nodes.",
		func(s *Stats) *uint64 { return &s.References }).Falling(),
	figure("claimed", "{process}", "Processes that the node became the owner of.", func(s *Stats) *uint64 { return &s.Claimed }),
	figure("taken_over", "{process}", "Processes that the node took over from one that is gone.",
		func(s *Stats) *uint64 { return &s.TakenOver }),
	figure("released", "{process}", "Processes that the node gave up, because they had ended or it left.",
		func(s *Stats) *uint64 { return &s.Released }),
	figure("handed_over", "{process}", "Processes that the node gave up and another one owned at once.",
		func(s *Stats) *uint64 { return &s.HandedOver }),
	figure("forwarded", "{message}", "Messages that were handed on to the next owner.", func(s *Stats) *uint64 { return &s.Forwarded }),
	figure("lost", "{message}", "Messages that waited for the next owner in vain.", func(s *Stats) *uint64 { return &s.Lost }),
	figure("followed", "{process}", "Times that a reference found its process on another node, or again.",
		func(s *Stats) *uint64 { return &s.Followed }),
	figure("renewals", "{renewal}", "Renewals of the node's lease.", func(s *Stats) *uint64 { return &s.Renewals }),
	figure("failures", "{failure}", "Failures of the store, to renew or to watch.", func(s *Stats) *uint64 { return &s.Failures }),
	figure("fenced", "{lease}", "Times that the node lost its lease.", func(s *Stats) *uint64 { return &s.Fenced }),
	figure("killed", "{process}", "Processes that the node lost with its lease.", func(s *Stats) *uint64 { return &s.Killed }),
	figure("declined", "{message}", "Messages that processes without a lease did not handle.",
		func(s *Stats) *uint64 { return &s.Declined }),
	figure("removed", "{node}", "Sessions of other nodes that the node found to be over.", func(s *Stats) *uint64 { return &s.Removed }),
	figure("conflicts", "{change}", "Changes of the store that another node was faster with.",
		func(s *Stats) *uint64 { return &s.Conflicts }),
	figure("foreign", "{record}", "Records and requests that others wrote, and that were ignored.",
		func(s *Stats) *uint64 { return &s.Foreign }),
}

func figure(name, unit, description string, of func(*Stats) *uint64) observe.Field[Stats] {
	return observe.NewField("waybill.placement."+name, unit, description, of)
}
