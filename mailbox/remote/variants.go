// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/waybill-go/waybill/envelope/wire"
)

// Variants returns a codec for messages of an interface type M, each of which is of one of the
// types of the values in byName. It writes JSON that says which:
//
//	{"type":"publish","message":{"Text":"hello"}}
//
// The message is what encoding/json makes of it. The values in byName stand for their types
// only. Pointers to structs are as good as structs, and what is read is of the same type. A
// type or a name that is not in byName is an error of the codec.
//
// Variants panics if M is no interface type, or if byName has a nil value or two of one type.
func Variants[M any](byName map[string]M) wire.Codec[M] {
	if t := reflect.TypeFor[M](); t.Kind() != reflect.Interface {
		panic(fmt.Sprintf("remote: Variants of %v, which is no interface type", t))
	}
	v := variants[M]{byType: make(map[reflect.Type]string), byName: make(map[string]reflect.Type)}
	for name, value := range byName {
		t := reflect.TypeOf(value)
		if t == nil {
			panic(fmt.Sprintf("remote: Variants with nil for %q", name))
		}
		if other, ok := v.byType[t]; ok {
			panic(fmt.Sprintf("remote: Variants with %v twice, before %q too (%s)", t, name, other))
		}
		quoted, err := json.Marshal(name)
		if err != nil {
			panic(err) // A string is always written.
		}
		v.byType[t] = `{"type":` + string(quoted) + `,"message":`
		v.byName[name] = t
	}
	return v
}

// variants implements wire.Codec. It never changes.
type variants[M any] struct {
	byType map[reflect.Type]string // what is written before a message
	byName map[string]reflect.Type
}

// errNilMessage is the error of a message that is the nil interface.
var errNilMessage = errors.New("a nil message")

// Append implements wire.Codec.
func (v variants[M]) Append(b []byte, message M) ([]byte, error) {
	t := reflect.TypeOf(message)
	if t == nil {
		return nil, errNilMessage
	}
	before, ok := v.byType[t]
	if !ok {
		return nil, fmt.Errorf("a message of type %v, which is not among the variants", t)
	}
	data, err := json.Marshal(message)
	if err != nil {
		return nil, err
	}
	return append(append(append(b, before...), data...), '}'), nil
}

// variant is a message as it is written.
type variant struct {
	Type    string          `json:"type"`
	Message json.RawMessage `json:"message"`
}

// Decode implements wire.Codec.
func (v variants[M]) Decode(data []byte) (message M, err error) {
	var read variant
	if err := json.Unmarshal(data, &read); err != nil {
		return message, err
	}
	t, ok := v.byName[read.Type]
	if !ok {
		return message, fmt.Errorf("a message of the unknown type %.100q", read.Type)
	}
	if len(read.Message) == 0 {
		return message, fmt.Errorf("no message of type %q", read.Type)
	}
	at := reflect.New(t)
	if err := json.Unmarshal(read.Message, at.Interface()); err != nil {
		return message, fmt.Errorf("a message of type %q: %w", read.Type, err)
	}
	value := at.Elem()
	if t.Kind() == reflect.Pointer && value.IsNil() {
		return message, errNilMessage // It was written as null.
	}
	return value.Interface().(M), nil //nolint:forcetypeassert // Its type is that of an M.
}
