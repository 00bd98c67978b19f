// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package ownership

import (
	"slices"
	"sync"
	"time"
)

// Bounds of a view.
const (
	maxSessions = 4096 // alive
	maxGone     = 4096 // remembered to be gone
)

// defaultPatience is for how many quarters of a lease a session may be silent before it may
// be removed. It must be more than four, by as much as clocks may be wrong.
const defaultPatience = 5

// State is what a view knows about a session.
type State int

const (
	// Unknown means that the view has no record of the session.
	Unknown State = iota
	// Alive means that the session was renewed lately.
	Alive
	// Silent means that it was not renewed for so long that its owner trusts it no longer.
	Silent
	// Gone means that its record was removed: nobody can act in it any more.
	Gone
)

// Seen is a session as a view sees it.
type Seen struct {
	ID       string
	Node     string
	Lease    time.Duration
	Revision uint64 // of its last record
	Leaving  bool
	At       time.Time // when its last renewal was seen, by this node's clock
}

// silent reports whether the session's owner trusts it no longer.
func (s *Seen) silent(now time.Time, patience int) bool {
	return now.Sub(s.At) >= quarters(s.Lease, patience)
}

func quarters(lease time.Duration, n int) time.Duration { return lease * time.Duration(n) / 4 }

// View is what a node knows about the sessions of a kind. All methods may be called at any
// time by any goroutine.
type View struct {
	patience int // in quarters of a lease

	mu      sync.Mutex
	alive   map[string]*Seen
	gone    map[string]struct{}
	order   []string // of gone, oldest first
	changed chan struct{}
	ready   bool
}

func newView(patience int) *View {
	return &View{
		patience: patience, alive: make(map[string]*Seen), gone: make(map[string]struct{}), changed: make(chan struct{}),
	}
}

// saw takes notice of a record. It reports false if there is no room for it.
func (v *View) saw(id string, r sessionRecord, revision uint64, now time.Time) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, gone := v.gone[id]; gone {
		return true // A record that was on its way.
	}
	s := v.alive[id]
	switch {
	case s == nil && len(v.alive) >= maxSessions:
		return false
	case s == nil:
		s = new(Seen)
		v.alive[id] = s
		v.tellLocked()
	case revision <= s.Revision:
		return true
	case s.Leaving != r.Leaving:
		v.tellLocked()
	}
	*s = Seen{ID: id, Node: r.Node, Lease: r.lease(), Revision: revision, Leaving: r.Leaving, At: now}
	return true
}

// removed takes notice that a session is gone. It reports whether that is news about one
// that was alive, or about one that nobody knew.
func (v *View) removed(id string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.alive, id)
	if _, known := v.gone[id]; known {
		return false
	}
	if len(v.order) >= maxGone {
		delete(v.gone, v.order[0])
		v.order = slices.Delete(v.order, 0, 1)
	}
	v.gone[id] = struct{}{}
	v.order = append(v.order, id)
	v.tellLocked()
	return true
}

// synced takes notice that the view has all records that there were.
func (v *View) synced() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.ready {
		v.ready = true
		v.tellLocked()
	}
}

// tell tells those who wait for a change.
func (v *View) tell() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.tellLocked()
}

func (v *View) tellLocked() {
	close(v.changed)
	v.changed = make(chan struct{})
}

// Changed returns a channel that is closed when sessions come, leave or go, when the view is
// ready, and when this node has a session.
func (v *View) Changed() <-chan struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.changed
}

// Ready reports whether the view has seen all records that there were when it began.
func (v *View) Ready() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.ready
}

// State returns what the view knows about a session at that time, and what it has seen of it
// last.
func (v *View) State(id string, now time.Time) (State, Seen) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, gone := v.gone[id]; gone {
		return Gone, Seen{}
	}
	s := v.alive[id]
	switch {
	case s == nil:
		return Unknown, Seen{}
	case s.silent(now, v.patience):
		return Silent, *s
	default:
		return Alive, *s
	}
}

// Alive returns the sessions that are not gone, by their IDs.
func (v *View) Alive() []Seen {
	v.mu.Lock()
	defer v.mu.Unlock()
	all := make([]Seen, 0, len(v.alive))
	for _, s := range v.alive {
		all = append(all, *s)
	}
	slices.SortFunc(all, func(a, b Seen) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return all
}

// Rank returns the sessions that may be asked to own id, the one that should own it first.
// Those that leave, or have been silent for too long, may not.
func (v *View) Rank(id string, now time.Time) []string {
	v.mu.Lock()
	candidates := make([]string, 0, len(v.alive))
	for _, s := range v.alive {
		if !s.Leaving && !s.silent(now, v.patience) {
			candidates = append(candidates, s.ID)
		}
	}
	v.mu.Unlock()
	return Rank(candidates, id)
}
