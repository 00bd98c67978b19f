// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"bytes"
	"encoding/json"
)

const (
	maxJSONDepth  = 200 // arrays and objects within each other; spans with plain attributes have ten
	elementMemory = 300 // bytes that an element of an array takes, about: a span, an attribute, a value
	objectMemory  = 40  // bytes that an object takes beside that
)

// emptyName reports whether text, which begins with a string, begins with the name of a member
// that is empty.
func emptyName(text []byte) bool {
	return text[1] == '"' && bytes.HasPrefix(bytes.TrimLeft(text[2:], " \t\r\n"), []byte{':'})
}

// measureJSON returns an error if body is not JSON, takes too much memory when it is decoded,
// or has arrays and objects too deeply in each other.
func measureJSON(body []byte) error {
	left := budget(MaxMemory)
	if err := left.spend(len(body)); err != nil {
		return err
	}
	if !json.Valid(body) {
		return ErrMalformed
	}
	// The body is valid JSON, so the brackets match, and all strings end.
	stack := make([]byte, 0, maxJSONDepth)
	for i := 0; i < len(body); i++ {
		spent := 0
		switch c := body[i]; c {
		case '"':
			if emptyName(body[i:]) {
				return ErrMalformed // The library takes it for the end of the object.
			}
			for i++; body[i] != '"'; i++ {
				if body[i] == '\\' {
					i++
				}
			}
		case '[', '{':
			if len(stack) == maxJSONDepth {
				return ErrTooDeep
			}
			stack = append(stack, c)
			spent = objectMemory
			if c == '[' {
				spent = elementMemory // its first one
			}
		case ']', '}':
			stack = stack[:len(stack)-1]
		case ',':
			if stack[len(stack)-1] == '[' {
				spent = elementMemory
			}
		}
		if err := left.spend(spent); err != nil {
			return err
		}
	}
	return nil
}
