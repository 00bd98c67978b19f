// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package fanout

import (
	"strconv"
	"strings"
	"sync/atomic"

	"go.opentelemetry.io/otel/trace"
)

// MemberKey names our member of the tracestate.
const MemberKey = "waybill"

var ignored atomic.Uint64

// Ignored returns how many members [From] took as absent.
func Ignored() uint64 { return ignored.Load() }

// From reads what a trace has been through from its tracestate. A member that is
// absent gives the zero value; so does one that our writer would not have written,
// which is counted.
func From(ts trace.TraceState) Fanout {
	if member := ts.Get(MemberKey); member != "" {
		return parse(member)
	}
	return Fanout{}
}

func parse(member string) (f Fanout) {
	var seen fields
	for field := range strings.SplitSeq(member, ";") {
		name, value, _ := strings.Cut(field, ":")
		if !seen.add(name) || !f.set(name, value) {
			f = Fanout{}
			break
		}
	}
	if !f.Valid() {
		ignored.Add(1)
		return Fanout{}
	}
	return f
}

// fieldNames are those of all fields that set knows.
const fieldNames = "wpndbe"

// fields is the set of the known fields that were seen in a member.
type fields uint8

// add reports whether name is new, or unknown.
func (s *fields) add(name string) bool {
	if len(name) != 1 {
		return true
	}
	at := strings.IndexByte(fieldNames, name[0])
	if at < 0 {
		return true
	}
	bit := fields(1) << at
	fresh := *s&bit == 0
	*s |= bit
	return fresh
}

// set parses one field and reports whether it could; a name that a later version
// added it passes over.
func (f *Fanout) set(name, value string) bool {
	if len(name) != 1 || !strings.Contains(fieldNames, name) {
		return true
	}
	if !plain(value) {
		return false
	}
	var err error
	switch name {
	case "w":
		f.Weight, err = strconv.ParseFloat(value, 64)
	case "p":
		f.Probability, err = strconv.ParseFloat(value, 64)
	case "n":
		f.Size, err = strconv.Atoi(value)
	case "d":
		f.Depth, err = strconv.Atoi(value)
	case "b":
		f.Budget, err = strconv.Atoi(value)
	case "e":
		f.MeanBudget, err = strconv.ParseFloat(value, 64)
	}
	return err == nil
}

// plain reports whether value has the form of a number that our writer gives it, as far
// as strconv does not tell: it takes signs, underscores, other bases and more.
func plain(value string) bool {
	for i := range len(value) {
		if c := value[i]; c-'0' > 9 && (i == 0 || c != '.' && c != 'e' && c != '+' && c != '-') {
			return false
		}
	}
	last := len(value) - 1
	return last >= 0 && value[last]-'0' <= 9 &&
		(value[0] != '0' || last == 0 || value[1] == '.')
}
