// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package traces

// order is one of the orders in which a trace has a place.
type order int

const (
	byArrival order = iota
	byUse
	orders
)

// link is the place of a trace in an order.
type link struct{ before, after *kept }

// list has traces in an order.
type list struct {
	which       order
	first, last *kept
}

// add adds t, which is in no list of this order, at the end.
func (l *list) add(t *kept) {
	t.links[l.which] = link{before: l.last}
	if l.last == nil {
		l.first = t
	} else {
		l.last.links[l.which].after = t
	}
	l.last = t
}

// remove removes t, which is in this list.
func (l *list) remove(t *kept) {
	at := t.links[l.which]
	t.links[l.which] = link{}
	if at.before == nil {
		l.first = at.after
	} else {
		at.before.links[l.which].after = at.after
	}
	if at.after == nil {
		l.last = at.before
	} else {
		at.after.links[l.which].before = at.before
	}
}

// toEnd moves t, which is in this list, to the end.
func (l *list) toEnd(t *kept) {
	if l.last != t {
		l.remove(t)
		l.add(t)
	}
}
