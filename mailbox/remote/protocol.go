// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/waybill-go/waybill/envelope/wire"
	"github.com/waybill-go/waybill/internal/typename"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote/internal/subject"
)

// Protocol says how messages of type M are written, and which of them are answered. Both ends
// must use the same one. The zero Protocol writes JSON, and has no calls.
type Protocol[M any] struct {
	// Codec writes messages and reads them. Nil means [wire.JSONCodec]. What travels as the
	// payload is exactly what the codec writes, so that peers without this library can read
	// and write it. Where M is an interface, [Variants] makes one; JSON alone could not read
	// what it has written. A codec that panics has failed. It must not end its goroutine, as
	// [runtime.Goexit] and the FailNow of a test do: it runs on the one that receives for the
	// connection, and nothing would be received there any more.
	Codec wire.Codec[M]
	// Calls are the messages that hold a [mailbox.Reply]: see [Answered].
	Calls []CallType[M]
}

// protocol is a Protocol that has been checked.
type protocol[M any] struct {
	codec wire.Codec[M]
	calls map[reflect.Type]callType[M]
	only  *messageType[M] // of all messages, if M is no interface
	fresh bool            // the codec makes new bytes for each message anyway
	types sync.Map        // *messageType by reflect.Type
}

// messageType is what is known of the messages of one type.
type messageType[M any] struct {
	name       string
	call       callType[M] // nil if the messages are not answered
	undeclared bool        // they hold a Reply all the same
}

// checkOn checks p, and whether messages can go to and come from a subject by a node.
func (p Protocol[M]) checkOn(node *Node, on string) (*protocol[M], error) {
	if node == nil {
		return nil, fmt.Errorf("%w: no node for %q", mailbox.ErrConfig, on)
	}
	if err := subject.Check(on); err != nil {
		return nil, fmt.Errorf("%w: %w", mailbox.ErrConfig, err)
	}
	return p.check()
}

func (p Protocol[M]) check() (*protocol[M], error) {
	c := &protocol[M]{codec: p.Codec, calls: make(map[reflect.Type]callType[M], len(p.Calls))}
	of := reflect.TypeFor[M]()
	if c.codec == nil {
		if of.Kind() == reflect.Interface && of.NumMethod() > 0 {
			return nil, fmt.Errorf("%w: a protocol without a Codec for %v, which is an interface: see Variants", mailbox.ErrConfig, of)
		}
		c.codec, c.fresh = wire.JSONCodec[M](), true
	}
	for _, call := range p.Calls {
		if call.of == nil {
			return nil, fmt.Errorf("%w: a protocol with the zero CallType", mailbox.ErrConfig)
		}
		t, err := call.of.check()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", mailbox.ErrConfig, err)
		}
		if c.calls[t] != nil {
			return nil, fmt.Errorf("%w: a protocol declares %v twice", mailbox.ErrConfig, t)
		}
		c.calls[t] = call.of
	}
	if of.Kind() != reflect.Interface {
		c.only = c.newType(of)
	}
	return c, nil
}

// typeOf returns what is known of the type of message.
func (p *protocol[M]) typeOf(message M) *messageType[M] {
	if p.only != nil {
		return p.only
	}
	t := reflect.TypeOf(message)
	if known, ok := p.types.Load(t); ok {
		return known.(*messageType[M]) //nolint:forcetypeassert // The map holds nothing else.
	}
	known, _ := p.types.LoadOrStore(t, p.newType(t))
	return known.(*messageType[M]) //nolint:forcetypeassert // As above.
}

func (p *protocol[M]) newType(t reflect.Type) *messageType[M] {
	m := &messageType[M]{name: typename.Of(t), call: p.calls[t]}
	m.undeclared = m.call == nil && holdsReply(t)
	return m
}

// holdsReply reports whether a value of type t, or what it points to, is a Reply or has one
// among its fields.
func holdsReply(t reflect.Type) bool {
	if t == nil {
		return false
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if isReply(t) {
		return true
	}
	if t.Kind() != reflect.Struct {
		return false
	}
	for field := range t.Fields() {
		if isReply(field.Type) {
			return true
		}
	}
	return false
}

var replyPackage = reflect.TypeFor[mailbox.Stats]().PkgPath()

func isReply(t reflect.Type) bool {
	return t.PkgPath() == replyPackage && strings.HasPrefix(t.Name(), "Reply[")
}

// encode appends the message to b. A panic of the codec is its failure.
func (p *protocol[M]) encode(b []byte, message M) (data []byte, err error) {
	return encode(p.codec, b, message)
}

func (p *protocol[M]) decode(data []byte) (message M, err error) { return decode(p.codec, data) }

func encode[T any](codec wire.Codec[T], b []byte, value T) (data []byte, err error) {
	defer func() {
		if recovered := recover(); recovered != nil {
			data, err = nil, fmt.Errorf("%w: panic: %v", ErrCodec, recovered)
		}
	}()
	if data, err = codec.Append(b, value); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCodec, err)
	}
	return data, nil
}

func decode[T any](codec wire.Codec[T], data []byte) (value T, err error) {
	defer func() {
		if recovered := recover(); recovered != nil {
			var none T
			value, err = none, fmt.Errorf("%w: panic: %v", ErrCodec, recovered)
		}
	}()
	if value, err = codec.Decode(data); err != nil {
		var none T
		return none, fmt.Errorf("%w: %w", ErrCodec, err)
	}
	return value, nil
}
