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
// process, and how they are read. A reader of what strangers may write needs a
// Boundary. Bare messages, as writers without this library send them, and wrapped
// ones may arrive mixed, so that a fleet changes from the one to the other while it
// runs; docs/mixed-fleets.md in the repository says in which order.
//
// A Config is a value to make once and to copy as one likes. Its zero value uses
// encoding/json and has the defaults below; any number of goroutines may use it
// at the same time. It never blocks.
type Config[M any] struct {
	// Codec writes and reads the messages. Nil means [JSONCodec].
	Codec Codec[M]
	// Form is how wrapped messages are written. Readers know both forms whatever
	// it is, except that JSON is looked for only if Form or Codec is JSON's.
	Form Form
	// Accept is which messages are read.
	Accept Accept
	// Wrap says for each message that is written whether it is wrapped: a switch
	// that may change at any time, such as [sync/atomic.Bool.Load]. Any number of
	// goroutines may call it. Nil means always.
	Wrap func() bool
	// MaxHeader and MaxMessage bound what travels with a message and the message,
	// in bytes as they are on the wire. Zero and less mean 32 KiB and 64 MiB. The
	// binary form has bounds of its own, 64 KiB - 1 and 4 GiB - 1. In the JSON form
	// no header is smaller than 13 bytes, and MaxHeader must not be either.
	MaxHeader, MaxMessage int
	// Boundary decides what is believed of a message that is read: a Boundary of
	// package propagate, by its policy and with its allow-list of baggage, such as
	// the one of the listener that the bytes came by. Nil, and a propagator that has
	// no policy, believe everything: that is for writers that are trusted. See
	// [Config.Decode].
	Boundary propagation.TextMapPropagator
	// Counters counts what is read and written. Nil means [DefaultCounters].
	Counters *Counters
}

// smallestJSONHeader is the size of a header in the JSON form that says nothing.
var smallestJSONHeader = len((&cargo{}).appendJSONHeader(nil))

// Validate returns an error that wraps [ErrConfig] if no message could be written
// or read as the fields of w have it: a Form or an Accept without a name, or a
// MaxHeader that no header in the JSON form fits. [Config.Append] and [Config.Decode]
// return the same error for every message; a program that wants to know when it
// starts asks here.
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
