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
}

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

func (s *section[T]) rates() map[string]*spanrate.Rate {
	rates := make(map[string]*spanrate.Rate, s.cells.Len())
	for name, cell := range s.cells.All() {
		rates[name] = &cell.Rate
	}
	return rates
}
