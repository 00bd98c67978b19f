// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate

import (
	"math"
	"slices"
)

// tree is how the spans belong together. Its slices have an element for each record.
type tree struct {
	records []record
	up      []int32 // the span above: its parent, or the one that its root goes on from; none if unknown
	near    []int32 // the nearest broadcast above, or none
	unit    []int32 // the span right below that, on the way to this one
	top     []int32 // the outermost span above, or itself
	shed    []bool  // below a broadcast on which a cap took effect
	head    []float64
	began   []float64 // what the root of its trace stands for, if a fan-out began the trace; else 1
	assumed float64
}

// resolve returns the tree of all spans.
func (s *Spans) resolve() *tree {
	if s.tree != nil {
		return s.tree
	}
	n := len(s.records)
	t := &tree{
		records: s.records,
		up:      make([]int32, n), near: make([]int32, n), unit: make([]int32, n), top: make([]int32, n),
		shed: make([]bool, n), head: make([]float64, n), began: make([]float64, n),
		assumed: s.head,
	}
	for i := range s.records {
		t.up[i] = none
		if above, ok := s.index[s.records[i].above]; ok {
			t.up[i] = above
		}
	}
	const (
		unknown = iota
		onPath
		settled
	)
	state := make([]uint8, n)
	var path []int32
	for i := range int32(n) { //nolint:gosec // Add bounds it.
		path = path[:0]
		j := i
		for ; j >= 0 && state[j] == unknown; j = t.up[j] {
			state[j] = onPath
			path = append(path, j)
		}
		if j >= 0 && state[j] == onPath { // A cycle, which no tracer makes.
			t.up[path[len(path)-1]] = none
		}
		for _, k := range slices.Backward(path) {
			t.settle(k)
			state[k] = settled
		}
	}
	s.tree = t
	return t
}

// settle fills in what there is to know of a span, after what is above it.
func (t *tree) settle(i int32) {
	r, u := &t.records[i], t.up[i]
	t.near[i], t.unit[i], t.top[i], t.began[i] = none, none, i, 1
	if u >= 0 {
		t.top[i], t.shed[i], t.began[i] = t.top[u], t.shed[u], t.began[u]
		t.near[i], t.unit[i] = t.near[u], t.unit[u]
		if b := t.records[u].cast; b != nil {
			t.near[i], t.unit[i] = u, i
			t.shed[i] = t.shed[i] || b.shed
		}
	}
	if r.root && r.weight > 1 {
		t.began[i] = r.weight
	}
	t.head[i] = t.headOf(i, u)
}

// headOf is with what probability the trace was sampled, 0 if nothing says so. What
// the spans above say holds, unless a later sampler has kept fewer. A trace that a
// fan-out began states its own probability, which the choice is part of.
func (t *tree) headOf(i, u int32) float64 {
	above, own := 0.0, t.records[i].head
	if u >= 0 {
		above = t.head[u]
	}
	if own > 0 {
		own = min(own*t.began[i], 1)
	}
	if above == 0 || own > 0 && own < above*(1-tolerance) {
		return own
	}
	return above
}

// scale is by what to multiply the weight of span i for the traces that were not kept.
func (t *tree) scale(i int) float64 {
	switch {
	case t.head[i] > 0:
		return 1 / t.head[i]
	case t.assumed > 0:
		return 1 / t.assumed
	default:
		return 1
	}
}

// addTo adds span i to a sample.
func (t *tree) addTo(s *Sample, i int) { t.add(s, i, seconds(t.records[i].span)) }

// add adds span i to a sample, with that value.
func (t *tree) add(s *Sample, i int, value float64) {
	r := &t.records[i]
	weight := r.weight
	switch {
	case t.shed[i]:
		s.belowShed++
		return
	case math.IsNaN(weight) && t.near[i] >= 0:
		s.unweighted++
		return
	case math.IsNaN(weight):
		weight = 1
	}
	scale := t.scale(i)
	s.Add(value, weight*scale, t.stages(i, scale)...)
}
