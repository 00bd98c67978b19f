// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package tracestate

import "strings"

// Limits of W3C Trace Context level 2, section 3.3.1.
const (
	// MaxMembers is how many members a list may have. Empty ones do not count.
	MaxMembers = 32

	maxKey   = 256
	maxValue = 256
)

// Member is one vendor's entry.
type Member struct{ Key, Value string }

// Classes of bytes, one bit each.
const (
	keyStart = 1 << iota
	keyChar
	valueChar
)

var classes = classify()

func classify() (c [256]uint8) {
	for b := ' '; b <= '~'; b++ {
		if b != ',' && b != '=' {
			c[b] = valueChar
		}
	}
	for b := 'a'; b <= 'z'; b++ {
		c[b] |= keyStart | keyChar
	}
	for b := '0'; b <= '9'; b++ {
		c[b] |= keyStart | keyChar
	}
	for _, b := range "_-*/@" {
		c[b] |= keyChar
	}
	return c
}

// only reports whether all bytes of s are in the class.
func only(class uint8, s string) bool {
	all := class
	for i := range len(s) {
		all &= classes[s[i]]
	}
	return all != 0
}

// ValidKey reports whether key is valid by level 2: a lower-case letter or a digit,
// then at most 255 lower-case letters, digits and characters of _-*/@.
func ValidKey(key string) bool {
	return key != "" && len(key) <= maxKey && classes[key[0]]&keyStart != 0 && only(keyChar, key)
}

// ValidValue reports whether value has 1 to 256 printable characters of ASCII, without
// comma and equals sign, and does not end with a space.
func ValidValue(value string) bool {
	return value != "" && len(value) <= maxValue && value[len(value)-1] != ' ' && only(valueChar, value)
}

// Parse appends the members of a tracestate to into, which should be empty, and returns
// them. The values are those of its header lines, in order, and count as one list.
// White space around members and empty members are ignored. If several members have the
// same key, the first one counts, because it is the latest, and dropped is the number
// of the others. If anything breaks the standard, the whole list is invalid, and ok is
// false.
func Parse(into []Member, values []string) (members []Member, dropped int, ok bool) {
	for _, list := range values {
		for more := true; more; {
			var text string
			text, list, more = strings.Cut(list, ",")
			if text = trim(text); text == "" {
				continue
			}
			key, value, _ := strings.Cut(text, "=")
			if len(into)+dropped == MaxMembers || !ValidKey(key) || !ValidValue(value) {
				return nil, 0, false
			}
			if find(into, key) >= 0 {
				dropped++
				continue
			}
			into = append(into, Member{key, value})
		}
	}
	return into, dropped, true
}

// trim removes spaces and tabs at both ends.
func trim(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// find returns the index of the member with the key, or -1.
func find(members []Member, key string) int {
	for i := range members {
		if members[i].Key == key {
			return i
		}
	}
	return -1
}
