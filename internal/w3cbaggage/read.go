// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package w3cbaggage

import (
	"strings"

	"go.opentelemetry.io/otel/baggage"
)

// List is the result of reading a list of members.
type List struct {
	// Members are the members that may pass. No two have the same key.
	Members []baggage.Member
	// WellFormed and Malformed count the members. Not all well-formed members may pass.
	WellFormed, Malformed int
	// TooLong is set if the list had too many bytes. Then nothing was read.
	TooLong bool

	limits Limits
	room   int // by how many bytes Members may grow when they are written again
}

// Refused reports whether the list was not empty and nothing of it can be used.
func (l *List) Refused() bool { return l.TooLong || l.Malformed > 0 && l.WellFormed == 0 }

// Dropped returns how many members were malformed or may not pass.
func (l *List) Dropped() int { return l.WellFormed + l.Malformed - len(l.Members) }

// Read reads the values of a header, in their order, as one list. It checks the length
// before it parses or allocates anything. If several members have the same key, the
// last one counts. Values are percent-decoded, and a byte that is then not UTF-8
// becomes U+FFFD. If that makes a value so long that it could not be written again
// within the limit of bytes, the member may not pass. A percent sign without two digits
// is malformed. Properties are kept as they came.
func Read(values []string, limits Limits) List {
	length := max(len(values)-1, 0) // The commas.
	for _, value := range values {
		length += len(value)
	}
	list := List{limits: limits, room: limits.bytes() - length}
	if list.room < 0 {
		list.TooLong = true
		return list
	}
	for _, value := range values {
		for text := range strings.SplitSeq(value, ",") {
			list.add(text)
		}
	}
	return list
}

// add adds the text between two commas.
func (l *List) add(text string) {
	text = trimOWS(text)
	if text == "" {
		return // RFC 9110, section 5.6.1, has receivers accept empty elements.
	}
	key, value, ok := cutMember(text)
	switch {
	case !ok:
		l.Malformed++
		return
	case len(l.Members) == l.limits.members() || !l.limits.allows(key):
		l.WellFormed++
		return
	}
	m, ok := newMember(text, key, value)
	if !ok {
		l.Malformed++
		return
	}
	l.WellFormed++
	if growth := growth(m, value); growth <= l.room {
		l.room -= growth
		l.keep(m)
	}
}

// keep puts m in the place of an earlier member with the same key, or at the end.
func (l *List) keep(m baggage.Member) {
	key := m.Key()
	for i := range l.Members {
		if l.Members[i].Key() == key {
			l.Members[i] = m
			return
		}
	}
	l.Members = append(l.Members, m)
}
