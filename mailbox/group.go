// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"slices"
	"sync"

	"github.com/waybill-go/waybill/sampling"
)

// Group is a set of processes to broadcast to. Its members may be of several
// kinds and systems. Make one with [NewGroup]; the zero Group cannot be used.
type Group[M any] struct {
	sys      *System
	name     string
	settings groupSettings
	rate     *sampling.Rate

	mu      sync.Mutex // after any process's
	index   map[*process[M]]int
	members []*process[M]
	shared  bool // a broadcast reads members: copy before writing
}

// NewGroup makes an empty group called name, whose broadcasts are traced by
// sys. Its name is in the names of spans, so there should be few names.
func NewGroup[M any](sys *System, name string, opts ...GroupOption) *Group[M] {
	g := &Group[M]{sys: sys, name: name, rate: sys.control.Rate(name), index: make(map[*process[M]]int)}
	for _, o := range opts {
		o.applyGroup(&g.settings)
	}
	if g.settings.sampling == nil {
		g.settings.sampling = sys.control.Group(name)
	}
	return g
}

// Join adds a process to the group until it leaves or ends. Joining twice is
// joining once. It returns [ErrStopped] if the process has ended. A broadcast
// that has begun does not reach it.
func (g *Group[M]) Join(member Ref[M]) error {
	p := member.p
	if p == nil {
		return ErrStopped
	}
	c := p.lock()
	defer c.mu.Unlock()
	if p.state.Load()&flagEnded != 0 {
		return ErrStopped
	}
	if g.add(p) {
		c.groups = append(c.groups, g)
	}
	return nil
}

// Leave takes a process out of the group and reports whether it was in it. A
// broadcast that has begun may still reach it.
func (g *Group[M]) Leave(member Ref[M]) bool {
	p := member.p
	if p == nil || !g.remove(p) {
		return false
	}
	c := p.lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.groups, leaver[M](g)); i >= 0 {
		c.groups = slices.Delete(c.groups, i, i+1)
	}
	return true
}

// Len returns the number of members.
func (g *Group[M]) Len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.members)
}

func (g *Group[M]) add(p *process[M]) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.index[p]; ok {
		return false
	}
	// To append beyond what a broadcast reads needs no copy.
	g.index[p] = len(g.members)
	g.members = append(g.members, p)
	return true
}

func (g *Group[M]) remove(p *process[M]) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i, ok := g.index[p]
	if !ok {
		return false
	}
	if g.shared {
		g.members, g.shared = slices.Clone(g.members), false
	}
	last := len(g.members) - 1
	g.members[i] = g.members[last]
	g.index[g.members[i]] = i
	delete(g.index, p)
	g.members[last] = nil
	g.members = g.members[:last]
	return true
}

// drop implements leaver.
func (g *Group[M]) drop(p *process[M]) { g.remove(p) }

// snapshot returns the members as they are now. It stays as it is.
func (g *Group[M]) snapshot() []*process[M] {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shared = true
	return g.members
}
