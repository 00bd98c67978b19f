// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package minutes

import (
	"math/rand/v2"
	"reflect"
	"sync"
	"unsafe"

	"github.com/waybill-go/waybill/internal/observe"
)

// maxTypesOfKind is how many types of messages a kind has by name.
const maxTypesOfKind = 32

// Kind is what all processes of one name share.
type Kind struct {
	store  *Store
	name   string
	salt   uint64  // so that the same ID is something else in another kind
	others *series // of the types beyond the bound
	nameOf func(reflect.Type) string

	byType sync.Map           // from reflect.Type to *series
	byName map[string]*series // guarded by the store's mu
}

// series has what was forgotten of the messages of one type to one kind, by minute.
type series struct {
	typ string

	mu    sync.Mutex // before no other
	cells *[Keep]cell
}

type cell struct {
	minute int64
	sums   Sums
}

// seriesBytes is what a series takes, with all cells, its kind and its places in maps.
const seriesBytes = Keep*int(unsafe.Sizeof(cell{})) + 768

// Kind returns the kind of that name, and makes it if there is none. nameOf names the
// types of its messages. If there are too many kinds, Kind returns one for all others.
func (s *Store) Kind(name string, nameOf func(reflect.Type) string) *Kind {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.kinds[name]
	switch {
	case ok:
	case s.room == 0 || len(s.kinds) >= observe.MaxNames:
		k = s.others
	default:
		return s.newKindLocked(name, nameOf)
	}
	if k.nameOf == nil { // It is that of the others, which came without.
		k.nameOf = nameOf
	}
	return k
}

func (s *Store) newKindLocked(name string, nameOf func(reflect.Type) string) *Kind {
	s.room--
	k := &Kind{
		store: s, name: name, salt: rand.Uint64(), others: &series{typ: observe.Others},
		nameOf: nameOf, byName: make(map[string]*series),
	}
	s.kinds[name] = k
	return k
}

// series returns that of the messages of that type.
func (k *Kind) series(t reflect.Type) *series {
	if found, ok := k.byType.Load(t); ok {
		return found.(*series) //nolint:forcetypeassert // The map holds nothing else.
	}
	found := k.named(k.nameOf(t))
	k.byType.Store(t, found)
	return found
}

func (k *Kind) named(typ string) *series {
	k.store.mu.Lock()
	defer k.store.mu.Unlock()
	if found, ok := k.byName[typ]; ok {
		return found
	}
	if typ == observe.Others || k.store.room == 0 || len(k.byName) >= maxTypesOfKind {
		return k.others
	}
	made := &series{typ: typ}
	k.store.room--
	k.byName[typ] = made
	return made
}

// forget adds what is no longer known of a process. What is older than an hour has no
// place.
func (s *series) forget(minute int64, sums *Sums) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cells == nil {
		s.cells = new([Keep]cell)
	}
	switch c := &s.cells[minute%Keep]; {
	case c.minute == minute:
		c.sums.Add(sums)
	case c.minute < minute:
		*c = cell{minute, *sums}
	}
}

// forgotten returns what was forgotten in the minutes from first to last.
func (s *series) forgotten(first, last int64) (sums Sums) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cells == nil {
		return sums
	}
	for i := range s.cells {
		if c := &s.cells[i]; first <= c.minute && c.minute <= last {
			sums.Add(&c.sums)
		}
	}
	return sums
}
