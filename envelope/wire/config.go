// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"fmt"

	"go.opentelemetry.io/otel/propagation"

	"github.com/waybill-go/waybill/internal/wireform"
)

// Form is how wrapped messages are written.
type Form uint8

// How wrapped messages may be written.
const (
	// Binary is a frame of a few bytes around the bytes of any codec. It is the default.
	// It adds 11 bytes to a message without header, and 65 to a traced one.
	Binary Form = iota
	// JSON is a JSON object whose members are the header and the message. It is for where
	// every message must be JSON. The codec must write JSON.
	JSON
)

// Accept is which messages are read.
type Accept uint8

// Which messages may be read.
const (
	// BareAndWrapped reads both. It is the default.
	BareAndWrapped Accept = iota
	// BareOnly refuses wrapped messages with [ErrWrapped].
	BareOnly
	// WrappedOnly refuses bare messages with [ErrBare].
	WrappedOnly
)

// Config says how envelopes are written as bytes, and how they are read. It reads bare
// messages, as writers without this library send them, and wrapped ones, in any mixture.
// So a fleet can change from bare to wrapped messages while it runs. The page
// docs/mixed-fleets.md in the repository says in which order. A reader of messages that
// strangers may write needs a Boundary.
//
// A Config is a value; make it once and copy it freely. Its zero value uses encoding/json
// and the defaults of the fields. Any number of goroutines may use it at the same time,
// and it never blocks.
type Config[M any] struct {
	// Codec writes and reads the messages. Nil means [JSONCodec].
	Codec Codec[M]
	// Form is how wrapped messages are written. Every reader knows the binary form. A
	// reader knows the JSON form if its Form is JSON or its Codec is [JSONCodec].
	Form Form
	// Accept is which messages are read.
	Accept Accept
	// Wrap is called for each message that is written, and tells whether to wrap it. It is
	// a switch that may change at any time, such as [sync/atomic.Bool.Load]. Any number of
	// goroutines may call it. Nil means always.
	Wrap func() bool
	// MaxHeader and MaxMessage are the most bytes that a header and a message may have as
	// they are written. Zero means 32 KiB and 64 MiB. A negative number means no limit
	// but that of the form: in the binary form a header cannot have more than 64 KiB - 1,
	// and a message not more than 4 GiB - 1. A header in the JSON form has at least 13
	// bytes, so a positive MaxHeader must not be less there.
	MaxHeader, MaxMessage int
	// Boundary decides what to believe of a message that is read: of its trace by the
	// policy, and of its baggage by the list of allowed keys. It is a Boundary of package
	// propagate, such as that of the listener by which the bytes came. Nil, or any other
	// propagator, believes everything: then only trusted writers may write. See
	// [Config.Decode].
	Boundary propagation.TextMapPropagator
	// Counters counts what is read and written. Nil means [DefaultCounters].
	Counters *Counters
}

// smallestJSONHeader is the size of an empty header in the JSON form.
var smallestJSONHeader = len(appendJSONHeader(nil, &wireform.Contents{}))

// Validate returns an error that wraps [ErrConfig] if no message can be written or read
// with these fields: if Form or Accept is none of the constants, or if MaxHeader is too
// small for any header in the JSON form. [Config.Append] and [Config.Decode] return the
// same error for every message. To learn of it when the program starts, call Validate.
func (w Config[M]) Validate() error {
	switch {
	case w.Form > JSON:
		return fmt.Errorf("%w: Form %d", ErrConfig, w.Form)
	case w.Accept > WrappedOnly:
		return fmt.Errorf("%w: Accept %d", ErrConfig, w.Accept)
	case w.Form == JSON && w.MaxHeader > 0 && w.MaxHeader < smallestJSONHeader:
		return fmt.Errorf("%w: MaxHeader %d, and no header in the JSON form has less than %d bytes",
			ErrConfig, w.MaxHeader, smallestJSONHeader)
	}
	return nil
}

func (w Config[M]) codec() Codec[M] {
	if w.Codec == nil {
		return jsonCodec[M]{}
	}
	return w.Codec
}

// codecJSON reports whether the codec is the one for JSON of this package.
func (w Config[M]) codecJSON() bool {
	_, ok := w.codec().(jsonCodec[M])
	return ok
}
