// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package typename names types of messages, as spans and metrics have them.
package typename

import (
	"reflect"
	"regexp"
)

// qualifier matches what stands before a type's own name within another type's
// name: its package, by path or by name, and what numbers a local type.
var qualifier = regexp.MustCompile(`[^\[\](){}*,; ]+\.|·\d+`)

// Of returns the name of t without its package, and without the asterisk of a pointer. The
// name of no type is nil. It takes microseconds, so callers keep the result.
func Of(t reflect.Type) string {
	switch {
	case t == nil:
		return "nil"
	case t.Name() == "" && t.Kind() == reflect.Pointer:
		return Of(t.Elem())
	case t.Name() != "":
		return qualifier.ReplaceAllString(t.Name(), "")
	default:
		return qualifier.ReplaceAllString(t.String(), "")
	}
}
