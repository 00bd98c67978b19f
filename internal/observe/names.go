// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"iter"
	"maps"
)

// Names are for kinds and groups, of which a program has a few. A program that named
// them after its users would make more and more of them. So there is a bound, and one
// name for all names beyond it.
const (
	MaxNames = 1000
	Others   = "others"
)

// Names holds a value for each of the first MaxNames names, and one value for all other
// names. The zero Names is empty. It has no lock of its own.
type Names[T any] struct {
	byName map[string]*T
	others uint64
}

// Of returns the value for name. If there is none yet, build makes it. If there are too
// many names, and name is not known to the caller, Of returns the value of Others.
func (n *Names[T]) Of(name string, known bool, build func(name string) *T) *T {
	if value, ok := n.byName[name]; ok {
		return value
	}
	if len(n.byName) >= MaxNames && !known {
		n.others++
		name = Others
		if value, ok := n.byName[name]; ok {
			return value
		}
	}
	value := build(name)
	if n.byName == nil {
		n.byName = make(map[string]*T)
	}
	n.byName[name] = value
	return value
}

// Others returns how often Of has returned the value of Others because there were
// too many names.
func (n *Names[T]) Others() uint64 { return n.others }

// Has reports whether there is a value for name.
func (n *Names[T]) Has(name string) bool {
	_, ok := n.byName[name]
	return ok
}

// All yields each name that has a value, in no order.
func (n *Names[T]) All() iter.Seq2[string, *T] { return maps.All(n.byName) }

// Clone returns a copy that has the same values.
func (n *Names[T]) Clone() Names[T] { return Names[T]{maps.Clone(n.byName), n.others} }

// Len returns how many names have a value.
func (n *Names[T]) Len() int { return len(n.byName) }
