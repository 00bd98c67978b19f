// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package tracestate

import (
	"context"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/trace"
)

// Key is the key of a [Beside] in a context.
type Key struct{}

// Beside is the members of a trace's tracestate that [trace.TraceState] cannot
// hold, with their place among those that it can.
type Beside struct {
	traceID trace.TraceID
	all     []Member // the whole list, as it arrived
}

// Of returns b if it belongs to the trace, and nil otherwise.
func (b *Beside) Of(traceID trace.TraceID) *Beside {
	if b == nil || b.traceID != traceID {
		return nil
	}
	return b
}

// FromContext returns what was put into ctx last, nil if there is nothing.
func FromContext(ctx context.Context) *Beside {
	b, _ := ctx.Value(Key{}).(*Beside)
	return b
}

// ContextWith returns ctx with b in place of what it has. If neither is
// anything, that is ctx itself.
func ContextWith(ctx context.Context, b *Beside) context.Context {
	if b == nil && FromContext(ctx) == nil {
		return ctx
	}
	return context.WithValue(ctx, Key{}, b)
}

// The lengths of the two parts of a key with an at sign, in level 1.
const (
	maxTenant = 241
	maxSystem = 14
)

// Holdable reports whether [trace.TraceState] takes a key that is valid.
func Holdable(key string) bool {
	tenant, system, found := strings.Cut(key, "@")
	if !found {
		return letter(key[0])
	}
	return len(tenant) <= maxTenant && system != "" && len(system) <= maxSystem && letter(system[0]) &&
		strings.IndexByte(system, '@') < 0
}

func letter(b byte) bool { return 'a' <= b && b <= 'z' }

// State returns those of the members that [trace.TraceState] can hold.
func State(members []Member) trace.TraceState {
	var list strings.Builder
	for i := range members {
		if m := members[i]; Holdable(m.Key) {
			list.WriteString(m.Key)
			list.WriteByte('=')
			list.WriteString(m.Value)
			list.WriteByte(',') // One too many means nothing.
		}
	}
	state, _ := trace.ParseTraceState(list.String()) // That they are valid is known.
	return state
}

// Encode returns the value of a header with the members of state and those of
// b, which must belong to the same trace. What is new or changed since b was
// made stands in front, as it does in state; all else is in the order in which
// it arrived. If there are more than [MaxMembers], the last ones give way; cut
// is how many.
func Encode(state trace.TraceState, b *Beside) (value string, cut int) {
	if b == nil {
		return state.String(), 0
	}
	var buffer [512]byte // As much as the standard wants to be propagated.
	bytes, cut := Append(buffer[:0], state, b)
	return string(bytes), cut
}

// Append is [Encode], but appends the value to into.
func Append(into []byte, state trace.TraceState, b *Beside) (value []byte, cut int) {
	var buffer [2 * MaxMembers]Member
	members := b.merge(buffer[:0], state)
	if cut = len(members) - MaxMembers; cut > 0 {
		members = members[:MaxMembers]
	}
	size := 0
	for i := range members {
		size += len(members[i].Key) + len(members[i].Value) + len("=,")
	}
	into = slices.Grow(into, size)
	for i := range members {
		if i > 0 {
			into = append(into, ',')
		}
		into = append(into, members[i].Key...)
		into = append(into, '=')
		into = append(into, members[i].Value...)
	}
	return into, max(cut, 0)
}

// merge appends both lists to into. Members that have not changed are still in
// the order in which they arrived, behind those that have: so from the end of
// state, as many as are in that order are old.
func (b *Beside) merge(into []Member, state trace.TraceState) []Member {
	state.Walk(func(key, value string) bool {
		into = append(into, Member{key, value})
		return true
	})
	if b == nil {
		return into
	}
	old := len(into)
	var buffer [MaxMembers]int
	places := buffer[:0] // of the old ones in b.all, the last one first
	for limit := len(b.all); old > 0; old-- {
		place := find(b.all[:limit], into[old-1].Key)
		if place < 0 || b.all[place].Value != into[old-1].Value {
			break
		}
		places, limit = append(places, place), place
	}
	into = into[:old]
	for i := range b.all {
		kept := len(places) > 0 && places[len(places)-1] == i
		if kept {
			places = places[:len(places)-1]
		}
		if kept || !Holdable(b.all[i].Key) {
			into = append(into, b.all[i])
		}
	}
	return into
}
