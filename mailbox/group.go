// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"fmt"
	"slices"
	"sync"

	"github.com/waybill-go/waybill/internal/live"
	"github.com/waybill-go/waybill/internal/planning"
	"github.com/waybill-go/waybill/sampling"
)

// Group is a set of processes to broadcast to. Its members may be of several
// kinds and systems. Make one with [NewGroup]; the zero Group cannot be used.
type Group[M any] struct {
	sys      *System
	name     string
	totals   *groupTotals
	settings groupSettings
	cell     *live.Cell[sampling.GroupConfig]

	mu      sync.Mutex // after any process's
	index   map[*process[M]]int
	members []*process[M]
	shared  bool // a broadcast reads members: copy before writing
	kinds   []kindShare
}

// kindShare is how many members of a group are of one kind, or of several that
// share their name and their control.
type kindShare struct {
	cell    *live.Cell[sampling.KindConfig]
	members int
}

// NewGroup makes an empty group called name. sys traces its broadcasts. The name is part
// of the names of spans, so there should be few names.
//
// An error wraps [ErrConfig] and says what makes no sense. It also wraps
// [sampling.ErrConfig] if that is the sampling.
func NewGroup[M any](sys *System, name string, opts ...GroupOption) (*Group[M], error) {
	if sys == nil {
		return nil, fmt.Errorf("group %q: %w: no system", name, ErrConfig)
	}
	if name == "" {
		return nil, fmt.Errorf("%w: a group without a name", ErrConfig)
	}
	g := &Group[M]{
		sys: sys, name: name, totals: sys.groupTotalsOf(name), cell: sys.control.Group(name), index: make(map[*process[M]]int),
	}
	for _, o := range opts {
		if o != nil {
			o.applyGroup(&g.settings)
		}
	}
	if own := g.settings.sampling; own != nil {
		if err := own.Validate(); err != nil {
			return nil, fmt.Errorf("group %q: %w: %w", name, ErrConfig, err)
		}
		g.cell.Fix(own)
	}
	return g, nil
}

// config returns how the group's broadcasts are sampled now.
func (g *Group[M]) config() *sampling.GroupConfig {
	if g.settings.sampling != nil {
		return g.settings.sampling
	}
	return g.cell.Load()
}

// Join adds a process to the group until the process leaves or ends. To join twice is to
// join once. The error of Join wraps [ErrStopped] if the process has ended. A broadcast that has
// begun does not reach the new member.
func (g *Group[M]) Join(member Ref[M]) error {
	p := member.p
	if p == nil {
		return errZeroRef
	}
	c := p.lock()
	defer c.mu.Unlock()
	if p.state.Load()&flagEnded != 0 {
		return p.named(ErrStopped)
	}
	if g.add(p) {
		c.groups = append(c.groups, g)
	}
	return nil
}

// Leave takes a process out of the group, and reports whether it was a member. A broadcast
// that has begun may still reach it.
func (g *Group[M]) Leave(member Ref[M]) bool {
	p := member.p
	if p == nil || !g.remove(p) {
		return false
	}
	c := p.lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.groups, membership[M](g)); i >= 0 {
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
	g.countLocked(p.kind, 1)
	return true
}

// countLocked notes that so many members more are of kind k.
func (g *Group[M]) countLocked(k *Kind[M], more int) {
	i := slices.IndexFunc(g.kinds, func(s kindShare) bool { return s.cell == k.cell })
	if i < 0 {
		i = len(g.kinds)
		g.kinds = append(g.kinds, kindShare{cell: k.cell})
	}
	if g.kinds[i].members += more; g.kinds[i].members == 0 {
		g.kinds = slices.Delete(g.kinds, i, i+1)
	}
}

// limits returns the rates of the kinds that members are of, nil if there are
// none.
func (g *Group[M]) limits() (limits []planning.Limit) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, k := range g.kinds {
		s := k.cell.Load()
		if s.SpansPerSecond <= 0 && s.MaxSpansPerSecond <= 0 {
			continue
		}
		limits = append(limits, planning.Limit{
			Rate: &k.cell.Rate, SpansPerSecond: s.SpansPerSecond, MaxSpansPerSecond: s.MaxSpansPerSecond,
			Share: float64(k.members) / float64(len(g.members)),
		})
	}
	return limits
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
	g.countLocked(p.kind, -1)
	g.members[last] = nil
	g.members = g.members[:last]
	return true
}

// drop implements membership.
func (g *Group[M]) drop(p *process[M]) { g.remove(p) }

// snapshot returns the members as they are now. It stays as it is.
func (g *Group[M]) snapshot() []*process[M] {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shared = true
	return g.members
}
