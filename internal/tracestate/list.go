// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package tracestate

import (
	"hash/maphash"
	"strings"
	"sync/atomic"

	"go.opentelemetry.io/otel/trace"
)

// List is a tracestate that was read. The zero value is an empty one. It never
// changes, and may be shared.
type List struct {
	// State is what of it OTel's type can hold.
	State trace.TraceState
	// Dropped is how many members are not in it, as one with the same key stood
	// before them.
	Dropped int

	all []Member // if that is more than State
}

// Beside returns what of the list goes beside the TraceState of a trace; nil if
// nothing does.
func (l List) Beside(traceID trace.TraceID) *Beside {
	if l.all == nil {
		return nil
	}
	return &Beside{traceID: traceID, all: l.all}
}

// Read returns the list whose header lines have these values, in order; ok is
// false if it is not as the standard says. Of a single short line it remembers
// what it found, as long as that line keeps coming: to make a TraceState takes
// longer than all the rest of an extraction.
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

// readLine is read for one short line. What OTel's type accepts is right by
// level 2 as well, and means the same.
func readLine(line string) (list List, ok bool) {
	var state trace.TraceState
	var err error
	if strings.IndexByte(line, ',') < 0 {
		// To insert a single member takes three quarters of the time for a list.
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
	// The standard wants 512 characters to be propagated; few vendors need more.
	maxRemembered = 512
	slots         = 128
)

// memory remembers at most one line in each slot, found by its hash: at the
// very worst, half a megabyte in all. It cannot mislead: what a line means
// depends on nothing else, and a line that takes another one's place costs it
// the time to be read again.
var (
	memory [slots]slot
	seed   = maphash.MakeSeed()
)

type slot struct {
	kept atomic.Pointer[remembered]
	// missed is the hash of the last line that was not found here. A line has to
	// come twice in a row to be kept: some vendors never write the same twice.
	missed atomic.Uint64
}

type remembered struct {
	line string
	list List
}

// recall is readLine, but for lines that it remembers.
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
		line = strings.Clone(line) // It may be part of something larger.
	}
	if list, ok = readLine(line); ok && again {
		s.kept.Store(&remembered{line, list})
	}
	return list, ok
}
