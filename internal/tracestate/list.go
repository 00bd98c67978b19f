// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package tracestate

import (
	"hash/maphash"
	"strings"
	"sync/atomic"

	"go.opentelemetry.io/otel/trace"
)

// List is a tracestate that was read. The zero value is an empty tracestate. A List
// never changes, and may be shared.
type List struct {
	// State holds the members that OpenTelemetry's type can hold.
	State trace.TraceState
	// Dropped is the number of members that are left out because another one with the
	// same key came before them.
	Dropped int

	all []Member // all members, if there are more than State has
}

// Beside returns the members that State does not have, for the trace with that ID; nil
// if there are none.
func (l List) Beside(traceID trace.TraceID) *Beside {
	if l.all == nil {
		return nil
	}
	return &Beside{traceID: traceID, all: l.all}
}

// Read reads a list from the values of its header lines, in order. ok is false if the
// list breaks the standard. To make a TraceState takes longer than all the rest of an
// extraction, so Read remembers the result for a single short line as long as the same
// line keeps coming.
func Read(values []string) (list List, ok bool) {
	switch {
	case len(values) == 0:
		return List{}, true
	case len(values) == 1 && len(values[0]) <= maxRemembered:
		return recall(values[0])
	default:
		return read(values)
	}
}

func read(values []string) (list List, ok bool) {
	var buffer [8]Member
	members, dropped, ok := Parse(buffer[:0], values)
	if !ok {
		return List{}, false
	}
	list = List{State: State(members), Dropped: dropped}
	for i := range members {
		if !Holdable(members[i].Key) {
			list.all = append([]Member(nil), members...)
			break
		}
	}
	return list, true
}

// readLine is read for one short line. A line that OpenTelemetry's type accepts is
// valid by level 2 too, and means the same.
func readLine(line string) (list List, ok bool) {
	var state trace.TraceState
	var err error
	if strings.IndexByte(line, ',') < 0 {
		// Inserting a single member takes three quarters of the time for parsing a
		// list.
		key, value, _ := strings.Cut(line, "=")
		state, err = state.Insert(key, value)
	} else {
		state, err = trace.ParseTraceState(line)
	}
	if err == nil {
		return List{State: state}, true
	}
	return read([]string{line})
}

const (
	// The standard asks everybody to propagate 512 characters, and few vendors need
	// more.
	maxRemembered = 512
	slots         = 128
)

// memory remembers one line in each slot, which is found by the line's hash. It takes
// half a megabyte at most. What a line means depends on nothing else, so a remembered
// result is never wrong. A line that takes the slot of another one costs that one the
// time to be read again.
var (
	memory [slots]slot
	seed   = maphash.MakeSeed()
)

type slot struct {
	kept atomic.Pointer[remembered]
	// missed is the hash of the last line that was not in memory. A line has to come
	// twice in a row to be remembered, because some vendors never write the same line
	// twice.
	missed atomic.Uint64
}

type remembered struct {
	line string
	list List
}

// recall is like readLine, but remembers the results.
func recall(line string) (list List, ok bool) {
	if line == "" {
		return List{}, true
	}
	hash := maphash.String(seed, line)
	s := &memory[hash%slots]
	if r := s.kept.Load(); r != nil && r.line == line {
		return r.list, true
	}
	again := s.missed.Swap(hash) == hash
	if again {
		line = strings.Clone(line) // line may be part of a larger string.
	}
	if list, ok = readLine(line); ok && again {
		s.kept.Store(&remembered{line, list})
	}
	return list, ok
}
