// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/waybill-go/waybill/internal/header"
)

// ErrType means that a value is neither the expected message nor an envelope of it. Test with
// [errors.Is].
var ErrType = errors.New("envelope: unexpected message type")

// Envelope is a message and what travels beside it. It is a value to copy and to send. Its
// zero value is the zero message without a header.
type Envelope[M any] struct {
	message M
	header  *header.Header
}

// Wrap puts message into an envelope that carries what [NewHeader] takes from ctx. If ctx has
// neither a sampled trace nor baggage, it allocates nothing. For carry see [Send].
func Wrap[M any](ctx context.Context, message M, carry ...CarryPolicy) Envelope[M] {
	return Envelope[M]{message: message, header: policyOf(carry).HeaderWithDecision(ctx)}
}

// New puts message into an envelope that carries h, which may be nil. It is for transports,
// and for messages that share a header.
func New[M any](message M, h *Header) Envelope[M] {
	e := Envelope[M]{message: message, header: (*header.Header)(h)}
	if e.header.Empty() && e.header.Undecided() { // A Header made with new, not by this package.
		e.header = nil
	}
	return e
}

// Bare puts message into an envelope that carries nothing.
func Bare[M any](message M) Envelope[M] { return Envelope[M]{message: message} }

// Message returns the message.
func (e Envelope[M]) Message() M { return e.message }

// Header returns what travels with the message. If nothing does, it is nil or carries nothing:
// see [CarryPolicy.Header]. So ask the header, and do not compare it with nil.
func (e Envelope[M]) Header() *Header { return (*Header)(e.header) }

// Unwrap opens the envelope for a handler. It returns the message, and ctx with the message's
// trace and baggage in place of its own. If the message is untraced, the context has the
// [Sentinel]. Unwrap starts no span. Instrumentation that takes its provider from the current
// span finds the global provider below a sampled message. To open many untraced messages
// without allocating, pass a ctx that came from [Untraced].
func (e Envelope[M]) Unwrap(ctx context.Context) (context.Context, M) {
	return e.header.Context(header.Untraced(ctx)), e.message
}

// open returns the content of an envelope of any message type, for From.
func (e Envelope[M]) open() (any, *header.Header) { return e.message, e.header }

type opener interface{ open() (any, *header.Header) }

var pkgPath = reflect.TypeFor[Header]().PkgPath()

// asEnvelope reports whether v is an envelope of any message type. A pointer to an envelope
// and a message that embeds one have the method too, but are messages.
func asEnvelope(v any) (opener, bool) {
	e, ok := v.(opener)
	return e, ok && reflect.TypeOf(v).PkgPath() == pkgPath
}

// From normalises what came out of a channel whose type could not change. v may be a message
// of type M or an envelope of one. It may also be envelopes inside each other, as when a relay
// wraps what was wrapped already. Then the outermost header that carries anything counts.
//
// M may be an interface type. If M is itself an envelope type, its values are not opened
// further. For any other v From returns an error that wraps [ErrType]. A nil v is an error too,
// unless M is an interface type. v remains the caller's, who can still log or route it.
func From[M any](v any) (Envelope[M], error) {
	concrete := reflect.TypeFor[M]().Kind() != reflect.Interface
	if e, ok := v.(Envelope[M]); ok && concrete {
		return e, nil
	}
	var found *header.Header
	content := v
	for {
		if message, ok := content.(M); ok && concrete {
			return Envelope[M]{message: message, header: found}, nil
		}
		e, ok := asEnvelope(content)
		if !ok {
			break
		}
		var h *header.Header
		if content, h = e.open(); found.Empty() && h != nil {
			found = h
		}
	}
	message, ok := content.(M)
	if !ok && (concrete || content != nil) {
		return Envelope[M]{}, fmt.Errorf("%w: %T is no %v", ErrType, v, reflect.TypeFor[M]())
	}
	return Envelope[M]{message: message, header: found}, nil
}
