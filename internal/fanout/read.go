// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package fanout

import (
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"go.opentelemetry.io/otel/trace"
)

var ignored atomic.Uint64

// Ignored returns how many times [FromTraceState] came upon a member that it took as
// absent; once for each reading, not for each message.
func Ignored() uint64 { return ignored.Load() }

// FromTraceState reads what a trace has been through from its tracestate. A member
// that is absent gives the zero value. So does one that [Fanout.AddTo] would not have
// written, and that is counted ([Ignored]): one with a number in another form, such
// as 1e1 for 10, without one of the fields or with one twice, out of the bounds of
// [Fanout], or with a weight that the probability and the depth cannot have made.
// The order of the fields does not matter, and a field whose name is not known is
// passed over, because a later version may have added it.
func FromTraceState(ts trace.TraceState) Fanout {
	if member := ts.Get(TraceStateKey); member != "" {
		return parse(member)
	}
	return Fanout{}
}

func parse(member string) Fanout {
	f, ok := parseFields(member)
	if !ok || !f.valid() {
		ignored.Add(1)
		return Fanout{}
	}
	return f
}

func parseFields(member string) (f Fanout, ok bool) {
	if len(member) > maxMember {
		return f, false
	}
	var seen names
	for field := range strings.SplitSeq(member, ";") {
		name, value, _ := strings.Cut(field, ":")
		if !seen.add(name) || !f.set(name, value) {
			return f, false
		}
	}
	return f, true
}

// Bounds on a member. With the first one it is, key included, no longer than those
// that the W3C would have removed first.
const (
	maxMember = 128 - len(TraceStateKey+"=")
	maxFields = 16
)

// names are those of the fields that were seen in a member.
type names struct {
	list [maxFields]string
	used int
}

// add reports whether name can be one, and is new.
func (s *names) add(name string) bool {
	if name == "" || s.used == len(s.list) || slices.Contains(s.list[:s.used], name) {
		return false
	}
	s.list[s.used] = name
	s.used++
	return true
}

// set parses one field and reports whether it could; a name that a later version
// added it passes over.
func (f *Fanout) set(name, value string) (ok bool) {
	switch name {
	case "w":
		f.Weight, ok = float(value)
	case "p":
		f.Probability, ok = float(value)
	case "n":
		f.Size, ok = whole(value)
	case "d":
		f.Depth, ok = whole(value)
	case "b":
		f.Budget, ok = whole(value)
	case "e":
		f.MeanBudget, ok = float(value)
	default:
		return true
	}
	return ok
}

// float parses a number, and reports whether our writer would have written it so.
func float(text string) (value float64, ok bool) {
	value, err := strconv.ParseFloat(text, 64)
	var form [32]byte
	return value, err == nil && string(strconv.AppendFloat(form[:0], value, 'g', -1, 64)) == text
}

// whole is float for numbers that are whole.
func whole(text string) (value int, ok bool) {
	value, err := strconv.Atoi(text)
	var form [32]byte
	return value, err == nil && string(strconv.AppendInt(form[:0], int64(value), 10)) == text
}
