// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package w3cbaggage

import (
	"strings"

	"go.opentelemetry.io/otel/baggage"
)

// List is what was found in a list of members.
type List struct {
	// Members are those that may pass, no two of a key.
	Members []baggage.Member
	// WellFormed and Malformed are how many members there were; of the well-formed
	// ones, perhaps not all may pass.
	WellFormed, Malformed int
	// TooLong is set if there were more bytes than may be. Then nothing was read.
	TooLong bool

	limits Limits
	room   int // What Members may grow by when they are written again.
}

// Refused reports whether there was something and nothing of it can be used.
func (l *List) Refused() bool { return l.TooLong || l.Malformed > 0 && l.WellFormed == 0 }

// Dropped returns how many members may not pass, or were malformed.
func (l *List) Dropped() int { return l.WellFormed + l.Malformed - len(l.Members) }

// Read reads the values of a header, in their order, as one list. It knows its length
// before it parses or allocates anything. Of the members with one key the last counts.
// Values are percent-decoded, and what is then no UTF-8 becomes U+FFFD; a value that
// could not be written again for this, being near the limit of bytes, may not pass. A
// percent sign without two digits is malformed. Properties are kept as they came.
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

// add takes what stands between two commas.
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

// keep puts m in the place of an earlier one of the same key, or at the end.
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
