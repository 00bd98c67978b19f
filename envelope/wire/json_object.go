// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
)

const jsonSpace = " \t\r\n"

// object walks over the members of a JSON object and finds where their values end. It does
// not allocate, and does not check the values. All that it finds in valid JSON is right.
type object struct {
	rest       []byte // What comes next. At the end, what comes after the object.
	key, value []byte // As they are written, with quotes and escapes.
	err        error  // Why the walk ended before the object: errEnd or errSyntax.
	begun      bool
}

// next goes to the next member. It returns false if there is none, at the end of the
// object or, with err set, after something that is wrong.
func (o *object) next() bool {
	o.key, o.value = nil, nil
	if !o.more() || !o.nextKey() || !o.take(':') {
		return false
	}
	o.peek()
	switch size := valueSize(o.rest); {
	case size < 0:
		o.err = errEnd
	case size == 0:
		o.wrong()
	default:
		o.value, o.rest = o.rest[:size], o.rest[size:]
		return true
	}
	return false
}

// more skips what comes before a member, and reports whether there is a member.
func (o *object) more() bool {
	if o.begun {
		if o.peek() == ',' {
			return o.take(',')
		}
		o.take('}')
		return false
	}
	o.begun = true
	if !o.take('{') {
		return false
	}
	if o.peek() == '}' {
		o.take('}')
		return false
	}
	return true
}

func (o *object) nextKey() bool {
	if o.peek() != '"' {
		o.wrong()
		return false
	}
	size := stringSize(o.rest)
	if size < 0 {
		o.err = errEnd
		return false
	}
	if o.key, o.rest = o.rest[:size], o.rest[size:]; !validString(o.key) {
		o.err = errSyntax
		return false
	}
	return true
}

// peek skips white space and returns the next byte, or 0 at the end.
func (o *object) peek() byte {
	o.rest = bytes.TrimLeft(o.rest, jsonSpace)
	if len(o.rest) == 0 {
		return 0
	}
	return o.rest[0]
}

// take skips white space and then c, which must come next.
func (o *object) take(c byte) bool {
	if o.peek() != c {
		o.wrong()
		return false
	}
	o.rest = o.rest[1:]
	return true
}

// wrong sets err, because something else must come next.
func (o *object) wrong() {
	if o.err = errSyntax; len(o.rest) == 0 {
		o.err = errEnd
	}
}

// text returns the value if that is a string.
func (o *object) text() (string, bool) {
	if len(o.value) < 2 || o.value[0] != '"' {
		return "", false
	}
	if bytes.IndexByte(o.value, '\\') < 0 {
		return string(o.value[1 : len(o.value)-1]), true
	}
	var s string
	err := json.Unmarshal(o.value, &s)
	return s, err == nil
}

// number returns the value if that is a natural number. If not, it returns more than any
// number here may be.
func (o *object) number() uint64 {
	n, err := strconv.ParseUint(string(o.value), 10, 63)
	if err != nil {
		return math.MaxUint64
	}
	return n
}

// validString reports whether a string of JSON is valid. Few have an escape.
func validString(s []byte) bool {
	for _, c := range s {
		if c == '\\' || c < ' ' {
			return json.Valid(s)
		}
	}
	return true
}

// stringSize returns the size of the string at the start of data, with its quotes. It is
// negative if the string does not end.
func stringSize(data []byte) int {
	for i := 1; i < len(data); i++ {
		switch data[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return -1
}

// valueSize returns the size of the value at the start of data: negative if the value does
// not end, 0 if there is none. A number or a name at the end of data has not ended, because
// the object around it must go on.
func valueSize(data []byte) int {
	depth := 0
	for i := 0; i < len(data); {
		switch c := data[i]; c {
		case '"':
			size := stringSize(data[i:])
			if size < 0 {
				return -1
			}
			if i += size; depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 {
				return i
			}
			if depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return -1
}
