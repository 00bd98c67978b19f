// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/envelope/wire"
)

// levels is how far each peer of a fleet has been upgraded: the writers, then
// the readers.
type levels [2 * peersPerSide]int32

// safe reports whether nothing is lost: nobody wraps before every reader is new.
func (l levels) safe() bool {
	wraps, old := false, false
	for i, level := range l {
		wraps = wraps || i < peersPerSide && level == wrappingPeer
		old = old || i >= peersPerSide && level == oldPeer
	}
	return !wraps || !old
}

// next returns what one change of one peer, forwards or back, makes of l, as far
// as it is safe.
func (l levels) next() (all []levels) {
	for i := range l {
		most := wrappingPeer
		if i >= peersPerSide {
			most = newPeer
		}
		for level := oldPeer; level <= most; level++ {
			changed := l
			if changed[i] = level; changed != l && changed.safe() {
				all = append(all, changed)
			}
		}
	}
	return all
}

// way returns the shortest way from l to a change that has not been done yet,
// that change included; nil if all have been done.
func (l levels) way(done map[[2]levels]bool) []levels {
	from := map[levels][]levels{l: nil}
	for queue := []levels{l}; len(queue) > 0; queue = queue[1:] {
		here := queue[0]
		for _, there := range here.next() {
			path := slices.Concat(from[here], []levels{there})
			if !done[[2]levels{here, there}] {
				return path
			}
			if _, seen := from[there]; !seen {
				from[there] = path
				queue = append(queue, there)
			}
		}
	}
	return nil
}

// set upgrades, rolls back or switches peers while they work.
func (f *fleet) set(l levels) {
	for i, level := range l {
		if i < peersPerSide {
			f.writers[i].level.Store(level)
		} else {
			f.readers[i-peersPerSide].level.Store(level)
		}
	}
}

var transports = map[string]func(*testing.T, *fleet, *side, *side) *link{
	"binary over TCP": overTCP(wire.Binary),
	"JSON over TCP":   overTCP(wire.JSON),
	"chan any":        inMemory,
}

// TestEveryOrderOfUpgradesAndRollbacks takes a fleet with traffic through every
// single change that keeps to the rule, from every state of all peers, and loses
// nothing.
func TestEveryOrderOfUpgradesAndRollbacks(t *testing.T) {
	done := levels{wrappingPeer, wrappingPeer, newPeer, newPeer}
	for name, connect := range transports {
		t.Run(name, func(t *testing.T) {
			f := startFleet(t, connect)
			defer f.stop(t)
			var here levels
			changes, visits := map[[2]levels]bool{}, 0
			for path := here.way(changes); path != nil; path = here.way(changes) {
				for _, there := range path {
					changes[[2]levels{here, there}] = true
					here = there
					f.set(here)
					f.settle()
					lost, _ := f.fates()
					require.Zero(t, lost, "%v", here)
					if here == done {
						visits++
						f.assertDone(t, name)
					}
				}
			}
			assert.Equal(t, 92, len(changes)) //nolint:testifylint // Len would print them all.
			assert.Positive(t, visits)
		})
	}
}

// assertDone checks that the counters of a fleet show that its rollout is done:
// traffic goes on, and no bare message comes any more.
func (f *fleet) assertDone(t *testing.T, transport string) {
	t.Helper()
	bare, wrapped := f.bare(), f.wrapped()
	f.settle()
	if transport == "chan any" {
		return // It has no counters.
	}
	assert.Equal(t, bare, f.bare())
	assert.Greater(t, f.wrapped(), wrapped)
}

// TestRollout is the way that docs/mixed-fleets.md describes, there and back, by
// what the counters show.
func TestRollout(t *testing.T) {
	f := startFleet(t, overTCP(wire.Binary))
	for _, l := range []levels{
		{oldPeer, oldPeer, newPeer, oldPeer},
		{oldPeer, oldPeer, newPeer, newPeer},
		{newPeer, oldPeer, newPeer, newPeer},
		{newPeer, newPeer, newPeer, newPeer},
		{wrappingPeer, newPeer, newPeer, newPeer},
	} {
		f.set(l)
		f.settle()
		before := f.bare()
		f.settle()
		assert.Greater(t, f.bare(), before, "%v: it is not done yet", l)
	}
	f.set(levels{wrappingPeer, wrappingPeer, newPeer, newPeer})
	f.settle()
	f.assertDone(t, "")

	// Back: the writers first. Once wrapped messages rest, the readers may go.
	f.set(levels{newPeer, newPeer, newPeer, newPeer})
	f.settle()
	wrapped := f.wrapped()
	assert.Equal(t, f.writtenWrapped(), wrapped, "some are under way")
	f.settle()
	assert.Equal(t, wrapped, f.wrapped())
	f.set(levels{})
	f.settle()
	f.stop(t)
	lost, traced := f.fates()
	assert.Zero(t, lost)
	assert.Equal(t, f.writtenWrapped(), traced, "every wrapped message brought its trace")
	assert.Positive(t, traced)
}

// TestWritersFirstLoses is the negative control of the others: an old reader
// cannot read what a new writer wraps.
func TestWritersFirstLoses(t *testing.T) {
	for name, connect := range transports {
		for _, l := range []levels{
			{wrappingPeer, oldPeer, oldPeer, oldPeer},
			{wrappingPeer, oldPeer, newPeer, oldPeer},
			{wrappingPeer, wrappingPeer, oldPeer, newPeer},
		} {
			assert.False(t, l.safe())
			f := startFleet(t, connect)
			f.settle()
			lost, _ := f.fates()
			assert.Zero(t, lost, name)
			f.set(l)
			f.settle()
			f.stop(t)
			lost, _ = f.fates()
			assert.Positive(t, lost, "%s: %v", name, l)
		}
	}
}
