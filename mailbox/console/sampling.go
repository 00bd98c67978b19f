// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/waybill-go/waybill/internal/live"
	"github.com/waybill-go/waybill/internal/traces"
	"github.com/waybill-go/waybill/sampling"
)

const (
	maxBroadcasts = 200
	maxGroups     = 100
)

// samplingDocument says how fan-outs are sampled, and what became of the latest ones.
type samplingDocument struct {
	// Groups are those that the program has, that are in the configuration, or that had a
	// fan-out lately, in the order of their names.
	Groups []samplingGroup `json:"groups"`
	// Kinds are those that have a rate of their own, or have shed something.
	Kinds      []samplingKind      `json:"kinds"`
	Broadcasts []samplingBroadcast `json:"broadcasts"` // the latest first
	Totals     samplingTotals      `json:"totals"`
	// LeftOut is how many groups and kinds are left out because there are too many.
	LeftOut int `json:"left_out"`
}

// samplingGroup is a group and its settings, nil if they are not known.
type samplingGroup struct {
	Name string `json:"name"`
	// From says where the settings come from: "group" or "default" of the
	// configuration, or "code", which the configuration does not change. It is empty if
	// they are not known.
	From string `json:"from"`
	// Known is false if the program has no group of that name, as far as anybody knows.
	Known    bool                  `json:"known"`
	Settings *sampling.GroupConfig `json:"settings"`

	samplingShed
}

// samplingShed is what the last resort has shed.
type samplingShed struct {
	ShedFanouts uint64 `json:"shed_fanouts"`
	ShedSpans   uint64 `json:"shed_spans"`
}

type samplingKind struct {
	Name              string  `json:"name"`
	SpansPerSecond    float64 `json:"spans_per_second"`
	MaxSpansPerSecond float64 `json:"max_spans_per_second"`

	samplingShed
}

type samplingBroadcast struct {
	TraceID   string    `json:"trace_id"`
	SpanID    string    `json:"span_id"`
	Group     string    `json:"group"`
	Start     time.Time `json:"start"`
	Size      int64     `json:"size"`
	Sampled   int64     `json:"sampled"`
	Delivered int64     `json:"delivered"`
	Refused   int64     `json:"refused"`
	Depth     int64     `json:"depth"` // fan-outs above it, of which it may be a part
	Method    string    `json:"method"`
	Shed      bool      `json:"shed"`
}

// samplingTotals are of all spans that the console got.
type samplingTotals struct {
	Spans uint64 `json:"spans"` // each once, without those of no trace
	// Naive is about how many spans there would have been without sampling of fan-outs.
	Naive      float64 `json:"naive"`
	Broadcasts uint64  `json:"broadcasts"`
	Recipients uint64  `json:"recipients"`
	Sampled    uint64  `json:"sampled"`
}

func (c *Console) serveSampling(w http.ResponseWriter, _ *http.Request) {
	totals := c.traces.Totals()
	d := &samplingDocument{
		Groups: []samplingGroup{}, Kinds: []samplingKind{},
		Totals: samplingTotals{
			Spans: totals.Seen - totals.Duplicates - totals.Invalid, Naive: totals.Naive,
			Broadcasts: totals.Broadcasts, Recipients: totals.Recipients, Sampled: totals.Sampled,
		},
	}
	latest := c.traces.Broadcasts(maxBroadcasts)
	d.Broadcasts = make([]samplingBroadcast, 0, len(latest))
	for i := range latest {
		d.Broadcasts = append(d.Broadcasts, broadcastJSON(&latest[i]))
	}
	if c.config.Control != nil {
		d.readControl(c.config.Control)
	}
	d.addUnknownGroups()
	answer(w, d)
}

func broadcastJSON(b *traces.Broadcast) samplingBroadcast {
	return samplingBroadcast{
		TraceID: b.Trace.String(), SpanID: b.Span.String(), Group: b.Group, Start: moment(b.Start),
		Size: b.Size, Sampled: b.Sampled, Delivered: b.Delivered, Refused: b.Refused,
		Depth: b.Depth, Method: b.Method, Shed: b.Shed,
	}
}

// readControl takes the groups and kinds that control has, and that its configuration has.
func (d *samplingDocument) readControl(control *sampling.Control) {
	cells := (*live.Control[sampling.KindConfig, sampling.GroupConfig])(control)
	config, fixed := cells.Config(), cells.FixedGroups()
	kinds, groups := cells.Rates()
	for _, name := range namesOf(groups, config.Groups) {
		if len(d.Groups) == maxGroups {
			d.LeftOut++
			continue
		}
		g := samplingGroup{Name: cut(name, maxText), From: "default"}
		settings, ok := config.Groups[name]
		switch own, isFixed := fixed[name]; {
		case isFixed:
			g.From, settings = "code", own
		case ok:
			g.From = "group"
		default:
			settings = config.DefaultGroup
		}
		g.Settings = &settings
		rate, known := groups[name]
		g.Known = known
		g.ShedFanouts, g.ShedSpans = rate.Shed()
		d.Groups = append(d.Groups, g)
	}
	for _, name := range namesOf(kinds, config.Kinds) {
		settings, ok := config.Kinds[name]
		if !ok {
			settings = config.Default
		}
		k := samplingKind{Name: cut(name, maxText), SpansPerSecond: settings.SpansPerSecond, MaxSpansPerSecond: settings.MaxSpansPerSecond}
		k.ShedFanouts, k.ShedSpans = kinds[name].Shed()
		switch {
		case k.SpansPerSecond <= 0 && k.MaxSpansPerSecond <= 0 && k.ShedFanouts == 0:
		case len(d.Kinds) == maxGroups:
			d.LeftOut++
		default:
			d.Kinds = append(d.Kinds, k)
		}
	}
}

// addUnknownGroups adds the groups that had a fan-out and that the control does not know,
// such as those of other programs.
func (d *samplingDocument) addUnknownGroups() {
	known := make(map[string]bool)
	for i := range d.Groups {
		known[d.Groups[i].Name] = true
	}
	for i := range d.Broadcasts {
		name := d.Broadcasts[i].Group
		if known[name] {
			continue
		}
		known[name] = true
		if len(d.Groups) == maxGroups {
			d.LeftOut++
			continue
		}
		d.Groups = append(d.Groups, samplingGroup{Name: name})
	}
	slices.SortFunc(d.Groups, func(a, b samplingGroup) int { return cmp.Compare(a.Name, b.Name) })
}

// namesOf returns the keys of both, in order, each once.
func namesOf[A, B any](a map[string]A, b map[string]B) []string {
	names := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(names)
	return slices.Compact(names)
}
