// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package spans

import (
	"reflect"

	"github.com/waybill-go/waybill/internal/typename"
)

// messageNames are the names of spans about one type of message to one kind.
type messageNames struct {
	message  string // the type's name, without its package
	handling string
	calling  string
	replying string
}

// TypeName returns the name of a type of message without its package, as spans have it.
func (k *Kind) TypeName(t reflect.Type) string { return k.namesOf(t).message }

// namesOf returns the names for messages of type t. They are made once.
func (k *Kind) namesOf(t reflect.Type) *messageNames {
	if names, ok := k.byType.Load(t); ok {
		return names.(*messageNames) //nolint:forcetypeassert // The map holds nothing else.
	}
	name := typename.Of(t)
	names, _ := k.byType.LoadOrStore(t, &messageNames{
		message:  name,
		handling: k.name + " " + name,
		calling:  "call " + k.name + " " + name,
		replying: "reply " + k.name + " " + name,
	})
	return names.(*messageNames) //nolint:forcetypeassert // The map holds nothing else.
}
