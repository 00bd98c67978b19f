// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"reflect"
	"regexp"
	"sync"
)

// messageNames are the names of spans about one type of message to one kind.
type messageNames struct {
	message  string // the type's name, without its package
	handling string
	calling  string
	replying string
}

// nameCache holds messageNames by the message's type.
type nameCache struct{ byType sync.Map }

// of returns the names for message, by its dynamic type if M is an interface.
func (k *Kind[M]) namesOf(message M) *messageNames {
	t := reflect.TypeFor[M]()
	if t.Kind() == reflect.Interface {
		t = reflect.TypeOf(message) // nil for a nil message
	}
	if names, ok := k.names.byType.Load(t); ok {
		return names.(*messageNames) //nolint:forcetypeassert // The map holds nothing else.
	}
	name := typeName(t)
	names, _ := k.names.byType.LoadOrStore(t, &messageNames{
		message:  name,
		handling: k.name + " " + name,
		calling:  "call " + k.name + " " + name,
		replying: "reply " + k.name + " " + name,
	})
	return names.(*messageNames) //nolint:forcetypeassert // The map holds nothing else.
}

// qualifier matches what stands before a type's own name within another type's
// name: its package, by path or by name, and what numbers a local type.
var qualifier = regexp.MustCompile(`[^\[\](){}*,; ]+\.|·\d+`)

func typeName(t reflect.Type) string {
	switch {
	case t == nil:
		return "nil"
	case t.Name() == "" && t.Kind() == reflect.Pointer:
		return typeName(t.Elem())
	case t.Name() != "":
		return qualifier.ReplaceAllString(t.Name(), "")
	default:
		return qualifier.ReplaceAllString(t.String(), "")
	}
}
