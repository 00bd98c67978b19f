// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package live holds what a program can change while it runs: the settings of its kinds
// and groups, in cells that follow every change, so that a message costs one atomic load
// and no lock. Users see it as sampling.Control; this package does not know what the
// settings say.
package live

import (
	"maps"
	"slices"
	"sync"

	"github.com/waybill-go/waybill/internal/observe"
	"github.com/waybill-go/waybill/internal/spanrate"
)

// Config has the settings of kinds and of groups by their names. It is sampling.Config.
type Config[K, G any] struct {
	Default      K // Of kinds that are not in Kinds.
	Kinds        map[string]K
	DefaultGroup G // Of groups that are not in Groups.
	Groups       map[string]G
}

// Control is a configuration and the cells that follow it. Any number of goroutines may
// use it. The zero Control has the zero Config. It must not be copied.
type Control[K, G any] struct {
	mu      sync.Mutex
	kinds   section[K]
	groups  section[G]
	metrics observe.Registry
}

// New returns a control that begins with c, which it copies.
func New[K, G any](c Config[K, G]) *Control[K, G] {
	control := &Control[K, G]{}
	control.setLocked(c)
	return control
}

// Config returns a copy of the present configuration.
func (c *Control[K, G]) Config() Config[K, G] {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.configLocked()
}

func (c *Control[K, G]) configLocked() Config[K, G] {
	return Config[K, G]{c.kinds.fallback, maps.Clone(c.kinds.named), c.groups.fallback, maps.Clone(c.groups.named)}
}

// SetIf changes the whole configuration to next, which it copies, if ok reports true of
// the present one. Each kind and group changes at one moment.
func (c *Control[K, G]) SetIf(ok func(present Config[K, G]) bool, next Config[K, G]) (changed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !ok(c.configLocked()) {
		return false
	}
	c.setLocked(next)
	return true
}

func (c *Control[K, G]) setLocked(next Config[K, G]) {
	c.kinds.set(next.Default, next.Kinds)
	c.groups.set(next.DefaultGroup, next.Groups)
}

// Kind returns the cell of the kind of that name. The first 1,000 names that are asked
// for have one each, and those that are in the configuration when they are; all others
// share that of the kind called others. The same holds for groups.
func (c *Control[K, G]) Kind(name string) *Cell[K] {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kinds.cell(name)
}

// Group returns the cell of the group of that name.
func (c *Control[K, G]) Group(name string) *Cell[G] {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.groups.cell(name)
}

// Unknown returns the names in a configuration that nobody has asked for yet, in order.
func (c *Control[K, G]) Unknown(shown Config[K, G]) (kinds, groups []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return without(shown.Kinds, c.kinds.cells.Has), without(shown.Groups, c.groups.cells.Has)
}

// without returns the names in m for which has is false, in order.
func without[T any](m map[string]T, has func(name string) bool) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(m)), has)
}

// Rates returns the rates of all kinds and groups that have a cell, by their names.
func (c *Control[K, G]) Rates() (kinds, groups map[string]*spanrate.Rate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kinds.rates(), c.groups.rates()
}

// FixedGroups returns the settings of the groups that do not follow the control, by their
// names.
func (c *Control[K, G]) FixedGroups() map[string]G {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.groups.fixed()
}

// Metrics is where the control is registered.
func (c *Control[K, G]) Metrics() *observe.Registry { return &c.metrics }
