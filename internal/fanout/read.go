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

// Ignored returns how many times [FromTraceState] has taken a member as absent. A
// message counts each time that it is read.
func Ignored() uint64 { return ignored.Load() }

// FromTraceState reads our member of ts. If there is none, it returns the zero value.
// It also does so, and counts it ([Ignored]), if [Fanout.AddTo] would not have written
// the member: a number has another form, such as 1e1 for 10, a field is missing or is
// there twice, a value is out of the bounds of [Fanout], or the probability and the
// depth cannot give the weight. The order of the fields does not matter. A field with
// an unknown name is ignored, because a later version may have added it.
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

// Bounds of a member. With the first one, the member and its key are not so long that
// the standard would remove them first.
const (
	maxMember = 128 - len(TraceStateKey+"=")
	maxFields = 16
)

// names holds the names of the fields that were read.
type names struct {
	list [maxFields]string
	used int
}

// add adds a name. It reports false if the name is not valid or not new.
func (s *names) add(name string) bool {
	if name == "" || s.used == len(s.list) || slices.Contains(s.list[:s.used], name) {
		return false
	}
	s.list[s.used] = name
	s.used++
	return true
}

// set parses one field, and reports false if the value is malformed. It ignores an
// unknown name.
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

// float parses a number, and reports whether we would write the number in that form.
func float(text string) (value float64, ok bool) {
	value, err := strconv.ParseFloat(text, 64)
	var form [32]byte
	return value, err == nil && string(strconv.AppendFloat(form[:0], value, 'g', -1, 64)) == text
}

// whole is like float, for whole numbers.
func whole(text string) (value int, ok bool) {
	value, err := strconv.Atoi(text)
	var form [32]byte
	return value, err == nil && string(strconv.AppendInt(form[:0], int64(value), 10)) == text
}
