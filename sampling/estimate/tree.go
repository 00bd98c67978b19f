// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate

import "slices"

// tree says how the spans belong together. Its slices have an element for each record.
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
	order   []int32           // of the records by their keys, whatever order they were added in
	chance  bool              // anything was left to chance
	spent   map[spanKey]spent // by the outermost broadcast to relays, what became of its budget
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
	t.order = make([]int32, n)
	for i := range t.order {
		t.order[i] = int32(i)
	}
	slices.SortFunc(t.order, func(a, b int32) int { return s.records[a].id.compare(s.records[b].id) })
	t.walk(func(path []int32, next int32) {
		if i := slices.Index(path, next); i >= 0 { // A cycle, which no tracer makes.
			first := slices.MinFunc(path[i:], func(a, b int32) int { return s.records[a].id.compare(s.records[b].id) })
			t.up[first] = none // Whatever order they were added in.
		}
	})
	t.walk(func(path []int32, _ int32) {
		for _, i := range slices.Backward(path) {
			t.settle(i)
		}
	})
	t.findFinals()
	for i := range int32(n) { //nolint:gosec // Add bounds it.
		b := s.records[i].broadcast
		t.chance = t.chance || b != nil && b.sampled < b.size || s.records[i].weight > 1 || t.scale(i) > 1
	}
	s.tree = t
	return t
}

// walk goes up from every span, past the spans that it has not visited yet. It calls done
// with these, and with the span above the last of them, which it had visited, or none.
func (t *tree) walk(done func(path []int32, next int32)) {
	been := make([]bool, len(t.records))
	var path []int32
	for i := range int32(len(t.records)) { //nolint:gosec // Add bounds it.
		path = path[:0]
		j := i
		for ; j >= 0 && !been[j]; j = t.up[j] {
			been[j] = true
			path = append(path, j)
		}
		if len(path) > 0 {
			done(path, j)
		}
	}
}

// settle sets what is known of a span. The span above must have been settled.
func (t *tree) settle(i int32) {
	r, u := &t.records[i], t.up[i]
	t.near[i], t.unit[i], t.top[i], t.began[i] = none, none, i, 1
	if u >= 0 {
		t.top[i], t.shed[i], t.began[i] = t.top[u], t.shed[u], t.began[u]
		t.near[i], t.unit[i] = t.near[u], t.unit[u]
		if b := t.records[u].broadcast; b != nil {
			t.near[i], t.unit[i] = u, i
			t.shed[i] = t.shed[i] || b.shed
		}
	}
	if r.root && r.weight > 1 {
		t.began[i] = r.weight
	}
	t.head[i] = t.headOf(i, u)
}

// headOf returns the probability with which the trace of span i was sampled, or 0 if nothing
// says so. That of the span above holds, unless a later sampler has kept fewer. If a fan-out
// began the trace, the probability that it states includes the fan-out's choice.
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

// scale returns by what to multiply the weight of span i, because of the traces that were
// not kept.
func (t *tree) scale(i int32) float64 {
	switch {
	case t.head[i] > 0:
		return 1 / t.head[i]
	case t.assumed > 0:
		return 1 / t.assumed
	default:
		return 1
	}
}

// findFinals finds where the budgets of broadcasts to relays were spent.
func (t *tree) findFinals() {
	t.spent = make(map[spanKey]spent)
	inner := make(map[int32]int) // how many broadcasts there are right below those to relays
	for _, i := range t.order {
		b := t.records[i].broadcast
		if b == nil {
			continue
		}
		if above := t.near[i]; above >= 0 && !b.shed {
			inner[above]++
		}
		outer := t.sharer(i)
		if outer < 0 || b.budget >= 0 || b.shed || t.shed[i] {
			continue
		}
		key := t.records[outer].id
		all := t.spent[key]
		all.finals = append(all.finals, final{t.records[i].id, b.size, b.sampled})
		t.spent[key] = all
	}
	for i := range t.records {
		if b := t.records[i].broadcast; b == nil || b.budget < 0 || inner[int32(i)] >= b.sampled {
			continue
		}
		outer := int32(i)
		if above := t.sharer(outer); above >= 0 {
			outer = above
		}
		key := t.records[outer].id
		all := t.spent[key]
		all.partly = true
		t.spent[key] = all
	}
}

// sharer returns the outermost broadcast above i from which all broadcasts down to i are to
// relays, or none.
func (t *tree) sharer(i int32) int32 {
	outer, at := int32(none), t.near[i]
	for range maxHops {
		if at < 0 || t.records[at].broadcast.budget < 0 {
			break
		}
		outer, at = at, t.near[at]
	}
	return outer
}
