// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package tracestate

import (
	"context"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/trace"
)

// Key is the key by which a context holds a [Beside].
type Key struct{}

// Beside holds the members of a trace's tracestate that [trace.TraceState] cannot hold,
// and their places among the other members.
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

// FromContext returns the Beside in ctx, nil if there is none.
func FromContext(ctx context.Context) *Beside {
	b, _ := ctx.Value(Key{}).(*Beside)
	return b
}

// ContextWith returns ctx with b in place of the Beside that ctx has. If both are nil,
// it returns ctx.
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

// Holdable reports whether [trace.TraceState] accepts the key, which must be valid by
// level 2.
func Holdable(key string) bool {
	tenant, system, found := strings.Cut(key, "@")
	if !found {
		return letter(key[0])
	}
	return len(tenant) <= maxTenant && system != "" && len(system) <= maxSystem && letter(system[0]) &&
		strings.IndexByte(system, '@') < 0
}

func letter(b byte) bool { return 'a' <= b && b <= 'z' }

// State returns the members that [trace.TraceState] can hold.
func State(members []Member) trace.TraceState {
	var list strings.Builder
	for i := range members {
		if m := members[i]; Holdable(m.Key) {
			list.WriteString(m.Key)
			list.WriteByte('=')
			list.WriteString(m.Value)
			list.WriteByte(',') // An extra comma does no harm.
		}
	}
	state, _ := trace.ParseTraceState(list.String()) // The members are valid.
	return state
}

// Encode returns the value of a header with the members of state and those of b, which
// must belong to the same trace. Members that are new or changed since b was made come
// first, in the order of state. The others come in the order in which they arrived. If
// there are more than [MaxMembers], the last ones are left out, and cut is their
// number.
func Encode(state trace.TraceState, b *Beside) (value string, cut int) {
	if b == nil {
		return state.String(), 0
	}
	var buffer [512]byte // The length that the standard asks everybody to propagate.
	bytes, cut := Append(buffer[:0], state, b)
	return string(bytes), cut
}

// Append is like [Encode], but appends the value to into.
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

// merge appends both lists to into. In state, the members that have not changed come
// after the changed ones, in the order in which they arrived. So merge goes back from
// the end of state, and takes members for old as long as they are in that order.
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
	places := buffer[:0] // places of the old members in b.all, the last one first
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
