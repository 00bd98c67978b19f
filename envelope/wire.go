// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/propagation"
)

// Why a [Wire] cannot read or write a message. Test with [errors.Is].
var (
	// ErrBare means that a reader of wrapped messages only met a bare one.
	ErrBare = errors.New("envelope: bare message refused")
	// ErrWrapped means that a reader of bare messages only met a wrapped one.
	ErrWrapped = errors.New("envelope: wrapped message refused")
	// ErrTruncated means that a wrapped message ends too early.
	ErrTruncated = errors.New("envelope: wrapped message truncated")
	// ErrMalformed means that a message begins as a wrapped one and does not go
	// on as one.
	ErrMalformed = errors.New("envelope: wrapped message malformed")
	// ErrOversized means that a message, or its header, is above a limit.
	ErrOversized = errors.New("envelope: message above the limit")
	// ErrVersion means that a wrapped message was made by a newer version of this
	// library, and that this one cannot read it.
	ErrVersion = errors.New("envelope: wrapped message of unknown version")
	// ErrMessage means that the codec could not read or write the message. The
	// codec's error is wrapped beside it.
	ErrMessage = errors.New("envelope: codec failed")
	// ErrAmbiguous means that a message was not written bare, because a reader
	// would take its bytes for a wrapped one.
	ErrAmbiguous = errors.New("envelope: bare message looks like a wrapped one")
	// ErrConfig means that the fields of the [Wire] are refused by [Wire.Validate].
	ErrConfig = errors.New("envelope: wire misconfigured")
)

// Form is how a [Wire] writes wrapped messages.
type Form uint8

const (
	// FormBinary is a frame of a few bytes around any codec's bytes, and the
	// default. It adds 11 bytes to a message without header, 65 to one that is
	// traced.
	FormBinary Form = iota
	// FormJSON is a JSON object with the header and the message as members, for
	// where every message must be JSON. The codec must write JSON.
	FormJSON
)

// Accept is which messages a [Wire] reads.
type Accept uint8

const (
	// AcceptBoth reads bare and wrapped messages alike, and is the default.
	AcceptBoth Accept = iota
	// AcceptBareOnly refuses wrapped messages with [ErrWrapped].
	AcceptBareOnly
	// AcceptWrappedOnly refuses bare messages with [ErrBare].
	AcceptWrappedOnly
)

// Wire writes envelopes as bytes that leave the operating system process, and
// reads them. A reader of what strangers may write needs a Boundary. Bare messages, as writers without this library send them, and
// wrapped ones may arrive mixed, so that a fleet changes from the one to the
// other while it runs; docs/mixed-fleets.md in the repository says in which
// order.
//
// A Wire is a value to make once and to copy as one likes. Its zero value uses
// encoding/json and has the defaults below; any number of goroutines may use it
// at the same time. It never blocks.
type Wire[M any] struct {
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
	// in bytes as they are on the wire. Zero and less mean [DefaultMaxHeader] and
	// [DefaultMaxMessage]. The binary form has bounds of its own, 64 KiB - 1 and
	// 4 GiB - 1. In the JSON form no header is smaller than 13 bytes, and
	// MaxHeader must not be either.
	MaxHeader, MaxMessage int
	// Boundary decides what is believed of a message that is read: a Border of
	// package propagate, by its policy and with its allow-list of baggage, such as
	// the one of the listener that the bytes came by. Nil, and a propagator that has
	// no policy, believe everything: that is for writers that are trusted. See
	// [Wire.Decode].
	Boundary propagation.TextMapPropagator
	// Counters counts what is read and written. Nil means [DefaultCounters].
	Counters *Counters
}

// Append appends e to b and returns the result: wrapped if Wrap says so, with
// what e's header has that may travel, and also if that is nothing; bare
// otherwise, the codec's bytes and nothing else. A header above the limit loses
// its baggage, or that and its tracestate, which is counted, and the message
// goes out.
//
// A Wire reads what it wrote. So a bare message is refused with [ErrAmbiguous] if
// Decode would take its bytes for a wrapped one, whoever chose them: a map from
// users with the key "waybill:envelope", or an upload that begins with our first
// four bytes. It can be written wrapped, once all readers know that. A reader with
// another Form or Codec may look for other bytes. In the JSON form the message is a value, and white space around it is not read back.
//
// The error wraps [ErrOversized], [ErrMessage], [ErrAmbiguous] or [ErrConfig]; then
// b is returned as it was, though what lies behind its length may be overwritten.
// With a b that has room, Append allocates only what the codec, tracestate and
// baggage need.
func (w Wire[M]) Append(b []byte, e Envelope[M]) ([]byte, error) {
	if err := w.Validate(); err != nil {
		return b, err
	}
	l, counters := w.limits(), w.Counters.or()
	if w.Wrap != nil && !w.Wrap() {
		out, err := w.appendBare(b, e.message, l)
		if err != nil {
			return b, err
		}
		counters.writtenBare.Add(1)
		return out, nil
	}
	c, lossy := load(e.header)
	appendCargo := c.appendBinary
	if w.Form == FormJSON {
		appendCargo = c.appendJSON
	}
	out, cut := appendCargo(b, l.header)
	head := len(out)
	out, err := w.appendMessage(out, e.message, l)
	if err != nil {
		return b, err
	}
	if w.Form == FormJSON {
		if !w.codecJSON() && !json.Valid(out[head:]) {
			return b, fmt.Errorf("%w: it wrote no valid JSON, for the JSON form", ErrMessage)
		}
		out = append(out, '}')
	} else {
		binary.BigEndian.PutUint32(out[len(b)+messageSizeAt:], uint32(len(out)-head)) //nolint:gosec // limits bounds it.
	}
	if cut || lossy {
		counters.cut.Add(1)
	}
	counters.writtenWrapped.Add(1)
	return out, nil
}

// appendBare appends what the codec writes, if a reader takes it for just that.
func (w Wire[M]) appendBare(b []byte, message M, l limits) ([]byte, error) {
	out, err := w.appendMessage(b, message, l)
	if err != nil {
		return nil, err
	}
	if p, _ := w.takeApart(out[len(b):], l); p.wrapped {
		return nil, ErrAmbiguous
	}
	return out, nil
}

// appendMessage appends what the codec writes.
func (w Wire[M]) appendMessage(b []byte, message M, l limits) ([]byte, error) {
	out, err := w.codec().Append(b, message)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrMessage, err)
	case len(out) < len(b):
		return nil, fmt.Errorf("%w: it does not append", ErrMessage)
	}
	return out, l.check(0, int64(len(out)-len(b)))
}

// Decode reads a message that takes up all of data, bare or wrapped. It neither
// changes data nor keeps it: after an error it is there for a log, another
// reader or a queue of dead letters.
//
// The errors wrap [ErrBare] or [ErrWrapped] where Accept says so, [ErrTruncated],
// [ErrMalformed], [ErrVersion] or [ErrOversized] for what cannot be opened,
// [ErrConfig] for a Wire that is not valid, and
// [ErrMessage] for what the codec cannot read; in that last case the envelope
// has the header all the same, so that the failure can be told in its trace.
// Trace or baggage that are malformed inside a message that can be opened are no
// error: they are left out and counted. Before sizes are checked against the
// limits and against data itself, nothing is allocated for them.
//
// Warning: what travels with a message is a claim of whoever wrote it, and without
// a Boundary it is believed. A stranger can then have any message recorded, say
// that its span stands for 10¹⁵ others and has waited for years, cut the chain,
// and set baggage. With a Boundary the trace and the baggage are read through it:
//
//   - Continue believes the trace, its tracestate, the time of sending, hops, age
//     and choice.
//   - Link believes none of these. For a message with a trace, sampled or not,
//     [Receive], [Handler] and [BatchHandler] begin a new one, if the sampler
//     wants that, with a link to the caller's span. Who opens the envelope by
//     [Envelope.Unwrap] finds the caller in the context, with no [Sentinel], as
//     after an extraction from a request, and starts the first span.
//   - Ignore makes an untraced message.
//
// Baggage is what the propagator inside lets in. What a Boundary refuses it counts
// itself.
//
// What is bare and what is wrapped is told by the first four bytes, f7 57 42 f6,
// which nothing begins with that is UTF-8 or UTF-16, gob or Protocol Buffers.
// Bytes of other kinds may: one random message in 4,294,967,296 does, and is
// refused, or misread if its next bytes fit too. Where Form or Codec is JSON's,
// a JSON object with a member "waybill:envelope" is wrapped too. To rule out any
// mistake, have all writers wrap and readers accept nothing else: inside a
// wrapped message nothing is looked for. A wrapped message that lost all but its
// first bytes, three in the binary form, is bare to a reader, and for the codec
// to refuse.
//
// The time of sending comes from the sender's clock. If it is after now, it is
// taken for now, so that no message has waited for less than nothing; a clock
// that is behind makes messages seem to have waited longer, by as much.
//
// Beside what the codec needs, a bare message and a wrapped one that nothing
// travels with allocate nothing, and one that is traced its header, in the
// binary form; JSON takes two strings more.
func (w Wire[M]) Decode(data []byte) (Envelope[M], error) {
	var e Envelope[M]
	if err := w.Validate(); err != nil {
		return e, err
	}
	counters := w.Counters.or()
	c, message, err := w.open(data, counters)
	if err != nil {
		counters.fail(err)
		return e, err
	}
	e.header = c.header(counters, w.Boundary)
	if e.message, err = w.codec().Decode(message); err != nil {
		counters.undecodable.Add(1)
		return Envelope[M]{header: e.header}, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	return e, nil
}

// open tells bare from wrapped, and returns what travels with the message and the
// message.
func (w Wire[M]) open(data []byte, counters *Counters) (c cargo, message []byte, err error) {
	l := w.limits()
	p, err := w.takeApart(data, l)
	if !p.wrapped {
		counters.bare.Add(1)
		if w.Accept == AcceptWrappedOnly {
			return c, nil, ErrBare
		}
		return c, data, l.check(0, int64(len(data)))
	}
	counters.wrapped.Add(1)
	switch {
	case w.Accept == AcceptBareOnly:
		return c, nil, ErrWrapped
	case err != nil:
		return c, nil, err
	case p.binary:
		c, err = readBinary(p.fields)
		return c, p.message, err
	case !w.codecJSON() && !json.Valid(p.message): // Ours finds out for itself.
		return c, nil, fmt.Errorf("%w: %w", ErrMalformed, errSyntax)
	}
	return readJSON(p.fields), p.message, nil
}

// parts are those of a message. One that is not wrapped has none.
type parts struct {
	wrapped, binary bool
	fields, message []byte
}

// takeApart finds the parts of a message. The error says why it cannot be opened
// though it is wrapped.
func (w Wire[M]) takeApart(data []byte, l limits) (p parts, err error) {
	switch {
	case len(data) >= len(magic) && string(data[:len(magic)]) == magic:
		p.wrapped, p.binary = true, true
		p.fields, p.message, err = openBinary(data, l)
	case w.Form == FormJSON || w.codecJSON():
		p.fields, p.message, p.wrapped, err = openJSON(data, l)
	}
	return p, err
}

func (w Wire[M]) codec() Codec[M] {
	if w.Codec == nil {
		return JSONCodec[M]{}
	}
	return w.Codec
}

// codecJSON reports whether the codec is the one for JSON of this package.
func (w Wire[M]) codecJSON() bool {
	switch w.codec().(type) {
	case JSONCodec[M], *JSONCodec[M]:
		return true
	default:
		return false
	}
}

// fail counts a message that cannot be opened.
func (c *Counters) fail(err error) {
	switch {
	case errors.Is(err, ErrBare), errors.Is(err, ErrWrapped):
		c.refused.Add(1)
	case errors.Is(err, ErrTruncated):
		c.truncated.Add(1)
	case errors.Is(err, ErrOversized):
		c.oversized.Add(1)
	case errors.Is(err, ErrVersion):
		c.unknownVersion.Add(1)
	default:
		c.malformed.Add(1)
	}
}
