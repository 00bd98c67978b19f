// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"fmt"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/observe"
	"github.com/waybill-go/waybill/mailbox"
)

// GroupStats counts what happens to a node's part of a group.
type GroupStats struct {
	Nodes      int // nodes that take part now, with this one
	Members    int // members on this node now
	Everywhere int // members on all nodes now, as they have announced them

	Broadcasts uint64 // from here
	Delivered  uint64 // members to whose nodes they were sent, as announced
	Refused    uint64 // members to whose nodes they could not be sent, as announced

	Relayed       uint64 // broadcasts from any node that came to the members here
	RelayedTo     uint64 // how often a member here has taken one
	RelayedFailed uint64 // how often a member here has refused one

	Malformed uint64 // announcements that made no sense
	Beyond    uint64 // announcements of nodes for which there was no room
	Namesakes uint64 // announcements of other nodes with the ID of this one
	Left      uint64 // nodes that have left, and said so
	Silent    uint64 // nodes that are gone because they said nothing
}

type groupCounts struct {
	broadcasts, delivered, refused, relays, relayedTo, relayedFailed atomic.Uint64
}

func (c *groupCounts) broadcast(d Delivery) {
	c.broadcasts.Add(1)
	c.delivered.Add(uint64(d.Delivered)) //nolint:gosec // Not negative.
	c.refused.Add(uint64(d.Refused))     //nolint:gosec // Not negative.
}

func (c *groupCounts) relayed(d mailbox.Delivery) {
	c.relays.Add(1)
	c.relayedTo.Add(uint64(d.Delivered))   //nolint:gosec // Not negative.
	c.relayedFailed.Add(uint64(d.Refused)) //nolint:gosec // Not negative.
}

// Stats returns what is so now, and what was counted until now. Each figure is exact. Together
// they may be of slightly different moments.
func (g *Group[M]) Stats() GroupStats {
	view, table, c := g.table.View(), g.table.Stats(), &g.counts
	here := g.local.Len()
	return GroupStats{
		Nodes: view.Known + 1, Members: here, Everywhere: here + view.Members,
		Broadcasts: c.broadcasts.Load(), Delivered: c.delivered.Load(), Refused: c.refused.Load(),
		Relayed: c.relays.Load(), RelayedTo: c.relayedTo.Load(), RelayedFailed: c.relayedFailed.Load(),
		Malformed: table.Malformed, Beyond: table.Beyond, Namesakes: table.Namesakes,
		Left: table.Left, Silent: table.Silent,
	}
}

// RegisterMetrics reports the group's [GroupStats] as OpenTelemetry metrics, whose names begin
// with waybill.remote.group. Every measurement has the name of the group (waybill.fanout.group)
// and attrs, which are copied. To end the reports call Unregister on the result, which keeps
// the group until then. There is an error if the meter returns one, if it is nil, or if the
// group is registered with it and the same attrs already. Then nothing is registered.
//
// A node with [WithMeterProvider] does this for its groups, but for those with an ID, until they
// are closed.
func (g *Group[M]) RegisterMetrics(meter metric.Meter, attrs ...attribute.KeyValue) (metric.Registration, error) {
	registration, err := observe.Counters(&g.metrics, meter, g.Stats, groupFigures,
		append([]attribute.KeyValue{keys.FanoutGroup.String(g.name)}, attrs...))
	if err != nil {
		return nil, fmt.Errorf("remote: metrics: %w", err)
	}
	return registration, nil
}

// groupFigures are the metrics of all that [GroupStats] has. Nodes and the members everywhere
// are gauges: each node reports the same.
var groupFigures = []observe.Field[GroupStats]{
	observe.NewGauge("waybill.remote.group.nodes", "{node}", "Nodes that take part in the group, as this one knows them.",
		func(s GroupStats) float64 { return float64(s.Nodes) }),
	observe.NewReading("waybill.remote.group.members", "{process}", "Members of the group on this node.",
		func(s GroupStats) uint64 { return uint64(s.Members) }).Falling(),
	observe.NewGauge("waybill.remote.group.size", "{process}", "Members of the group on all nodes, as this one knows them.",
		func(s GroupStats) float64 { return float64(s.Everywhere) }),
	groupFigure("broadcasts", "{broadcast}", "Broadcasts from this node to all nodes.",
		func(s *GroupStats) *uint64 { return &s.Broadcasts }),
	groupFigure("delivered", "{recipient}", "Members on nodes to which a broadcast was sent.",
		func(s *GroupStats) *uint64 { return &s.Delivered }),
	groupFigure("refused", "{recipient}", "Members on nodes to which a broadcast could not be sent.",
		func(s *GroupStats) *uint64 { return &s.Refused }),
	groupFigure("relayed", "{broadcast}", "Broadcasts from all nodes that came to the members on this one.",
		func(s *GroupStats) *uint64 { return &s.Relayed }),
	groupFigure("relayed.delivered", "{recipient}", "Members on this node that took a broadcast from any node.",
		func(s *GroupStats) *uint64 { return &s.RelayedTo }),
	groupFigure("relayed.refused", "{recipient}", "Members on this node that refused a broadcast from any node.",
		func(s *GroupStats) *uint64 { return &s.RelayedFailed }),
	groupFigure("announcements.malformed", "{announcement}", "Announcements of other nodes that made no sense.",
		func(s *GroupStats) *uint64 { return &s.Malformed }),
	groupFigure("announcements.beyond", "{announcement}", "Announcements of nodes for which there was no room.",
		func(s *GroupStats) *uint64 { return &s.Beyond }),
	groupFigure("announcements.namesakes", "{announcement}", "Announcements of other nodes that have the ID of this one.",
		func(s *GroupStats) *uint64 { return &s.Namesakes }),
	groupFigure("left", "{node}", "Nodes that have left the group, and said so.",
		func(s *GroupStats) *uint64 { return &s.Left }),
	groupFigure("silent", "{node}", "Nodes that were forgotten because they said nothing.",
		func(s *GroupStats) *uint64 { return &s.Silent }),
}

func groupFigure(name, unit, description string, of func(*GroupStats) *uint64) observe.Field[GroupStats] {
	return observe.NewField("waybill.remote.group."+name, unit, description, of)
}
