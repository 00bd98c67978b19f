// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate

import (
	"math"
	"slices"
)

// stages returns the choices that span i came through, the outermost first.
func (t *tree) stages(i int, scale float64) []Stage {
	var stages []Stage
	at := int32(i) //nolint:gosec // Add bounds it.
	for t.near[at] >= 0 {
		stages = append(stages, t.stage(t.near[at], t.unit[at]))
		at = t.near[at]
	}
	top := t.top[i]
	if r := &t.records[top]; r.cast == nil && r.above.valid() && r.probability > 0 && r.size > 0 {
		// The broadcast's own span is missing, and its recipients say enough.
		chosen := max(int(math.Round(float64(r.size)*r.probability)), 1)
		stages = append(stages, Stage{Fanout: text(r.above), Size: r.size, Chosen: chosen, Recipient: text(r.id)})
	}
	slices.Reverse(stages)
	stages = t.joinRelays(i, stages)
	if scale > 1 {
		id := t.records[top].id.trace
		stages = slices.Insert(stages, 0, Stage{Fanout: string(id[:])})
	}
	if kept := t.records[i].kept; kept < 1 && len(stages) > 0 {
		stages[len(stages)-1].Kept = kept
	}
	return stages
}

// stage is the choice of a recipient by a broadcast.
func (t *tree) stage(broadcast, unit int32) Stage {
	b := &t.records[broadcast]
	return Stage{
		Fanout: text(b.id), Size: b.cast.size, Chosen: max(b.cast.sampled, 1),
		Recipient: text(t.records[unit].id),
	}
}

// joinRelays makes one stage of those of a broadcast to relays and of theirs.
func (t *tree) joinRelays(i int, stages []Stage) []Stage {
	var path []int32                                       // the recipients, outermost first
	for at := int32(i); t.near[at] >= 0; at = t.near[at] { //nolint:gosec // Add bounds it.
		path = append(path, t.unit[at])
	}
	slices.Reverse(path)
	off := len(stages) - len(path) // The missing broadcast's.
	for n := 0; n < len(path); n++ {
		outer := &t.records[t.up[path[n]]]
		last := n
		for last < len(path) && t.records[t.up[path[last]]].cast.budget >= 0 {
			last++
		}
		if outer.cast.budget < 1 || last == len(path) {
			continue
		}
		unit := &t.records[path[last]]
		size := unit.weight / max(outer.weight, 1) * float64(outer.cast.budget)
		if math.IsNaN(outer.weight) {
			size = unit.weight * float64(outer.cast.budget)
		}
		if whole := math.Round(size); math.Abs(size-whole) <= tolerance*size && whole <= math.MaxInt32 {
			joined := Stage{
				Fanout: text(outer.id), Size: int(whole), Chosen: outer.cast.budget, Recipient: text(unit.id),
			}
			stages = slices.Replace(stages, off+n, off+last+1, joined)
			off -= last - n
		}
		n = last
	}
	return stages
}

func text(k spanKey) string { return string(k.trace[:]) + string(k.span[:]) }
