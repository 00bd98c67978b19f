// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"maps"
	"sync/atomic"

	"github.com/waybill-go/waybill/internal/observe"
	"github.com/waybill-go/waybill/internal/spanrate"
)

// Cell is what the kinds, or groups, of one name share: their settings, as they are at
// any time, and their load.
type Cell[T any] struct {
	Rate spanrate.Rate

	settings atomic.Pointer[T]
	fixed    atomic.Pointer[T]
}

// Fix says that a kind or group of this name has other settings, which do not follow the
// control. If several have some, the last to say so is known.
func (c *Cell[T]) Fix(settings *T) { c.fixed.Store(settings) }

// Fixed returns the settings that do not follow the control, which must not be changed. It
// returns nil if all follow it.
func (c *Cell[T]) Fixed() *T { return c.fixed.Load() }

// Load returns the present settings, which must not be changed. It is one atomic load.
func (c *Cell[T]) Load() *T { return c.settings.Load() }

// section is the half of a configuration that is about kinds, or about groups, and the
// cells that follow it. Its control locks it.
type section[T any] struct {
	fallback T // of those that are not in named
	named    map[string]T
	cells    observe.Names[Cell[T]]
}

func (s *section[T]) of(name string) *T {
	settings, ok := s.named[name]
	if !ok {
		settings = s.fallback
	}
	return &settings
}

func (s *section[T]) set(fallback T, named map[string]T) {
	s.fallback, s.named = fallback, maps.Clone(named)
	for name, cell := range s.cells.All() {
		cell.settings.Store(s.of(name))
	}
}

func (s *section[T]) cell(name string) *Cell[T] {
	_, known := s.named[name]
	return s.cells.Of(name, known, func(name string) *Cell[T] {
		cell := &Cell[T]{}
		cell.settings.Store(s.of(name))
		return cell
	})
}

// fixed returns the settings that do not follow the control, by name.
func (s *section[T]) fixed() map[string]T {
	fixed := make(map[string]T)
	for name, cell := range s.cells.All() {
		if settings := cell.Fixed(); settings != nil {
			fixed[name] = *settings
		}
	}
	return fixed
}

func (s *section[T]) rates() map[string]*spanrate.Rate {
	rates := make(map[string]*spanrate.Rate, s.cells.Len())
	for name, cell := range s.cells.All() {
		rates[name] = &cell.Rate
	}
	return rates
}
