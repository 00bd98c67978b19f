// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"fmt"

	"go.opentelemetry.io/otel/propagation"
)

// Form is how wrapped messages are written.
type Form uint8

const (
	// Binary is a frame of a few bytes around any codec's bytes, and the default.
	// It adds 11 bytes to a message without header, 65 to one that is traced.
	Binary Form = iota
	// JSON is a JSON object with the header and the message as members, for where
	// every message must be JSON. The codec must write JSON.
	JSON
)

// Accept is which messages are read.
type Accept uint8

const (
	// BareAndWrapped reads bare and wrapped messages alike, and is the default.
	BareAndWrapped Accept = iota
	// BareOnly refuses wrapped messages with [ErrWrapped].
	BareOnly
	// WrappedOnly refuses bare messages with [ErrBare].
	WrappedOnly
)

// Config says how envelopes are written as bytes that leave the operating system
// process, and how they are read. It reads bare messages, as writers without this
// library send them, and wrapped ones, in any mixture, so that a fleet can change from
// the one to the other while it runs. The page docs/mixed-fleets.md in the repository
// says in which order. A reader of what strangers may write needs a Boundary.
//
// A Config is a value; make it once and copy it freely. Its zero value uses
// encoding/json and the defaults of the fields. Any number of goroutines may use it
// at the same time, and it never blocks.
type Config[M any] struct {
	// Codec writes and reads the messages. Nil means [JSONCodec].
	Codec Codec[M]
	// Form is how wrapped messages are written. A reader knows the binary form
	// whatever its Form is; it knows the JSON form if its Form is JSON or its Codec is
	// [JSONCodec].
	Form Form
	// Accept is which messages are read.
	Accept Accept
	// Wrap is asked for each message that is written whether to wrap it. It is a switch
	// that may change at any time, such as [sync/atomic.Bool.Load], and any number of
	// goroutines may call it. Nil means always.
	Wrap func() bool
	// MaxHeader and MaxMessage are the most bytes that a header and a message may have
	// on the wire. Zero or less means 32 KiB and 64 MiB. The binary form cannot have
	// more than 64 KiB - 1 and 4 GiB - 1. A header in the JSON form has at least 13
	// bytes, and MaxHeader must not be less then.
	MaxHeader, MaxMessage int
	// Boundary decides what to believe of a message that is read: its trace by the
	// policy, and its baggage by the list of allowed keys. It is a Boundary of package
	// propagate, such as that of the listener by which the bytes came. Nil, or any
	// other propagator, believes everything: only trusted writers may write then. See
	// [Config.Decode].
	Boundary propagation.TextMapPropagator
	// Counters counts what is read and written. Nil means [DefaultCounters].
	Counters *Counters
}

// smallestJSONHeader is the size of a header in the JSON form that says nothing.
var smallestJSONHeader = len((&cargo{}).appendJSONHeader(nil))

// Validate returns an error that wraps [ErrConfig] if no message can be written or read
// with these fields: if Form or Accept has no name, or if MaxHeader is too small for any
// header in the JSON form. [Config.Append] and [Config.Decode] return the same error for
// every message. A program that wants to know at its start calls Validate.
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
