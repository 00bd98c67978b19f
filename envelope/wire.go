// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
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

// The limits that a [Wire] has by default, in bytes.
const (
	DefaultMaxHeader  = 32 << 10
	DefaultMaxMessage = 64 << 20
)

// Wire writes envelopes as bytes that leave the operating system process, and
// reads them. Bare messages, as writers without this library send them, and
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
	// 4 GiB - 1.
	MaxHeader, MaxMessage int
	// Counters counts what is read and written. Nil means [DefaultCounters].
	Counters *Counters
}

// Append appends e to b and returns the result: wrapped if Wrap says so, with
// what e's header has that may travel, and also if that is nothing; bare
// otherwise, the codec's bytes and nothing else. A header above the limit loses
// its baggage, or that and its tracestate, which is counted, and the message
// goes out.
//
// The error wraps [ErrOversized] or [ErrMessage]; then b is returned as it was,
// though what lies behind its length may be overwritten. With a b that has room,
// Append allocates only what the codec, tracestate and baggage need.
func (w Wire[M]) Append(b []byte, e Envelope[M]) ([]byte, error) {
	l, counters := w.limits(), w.Counters.or()
	if w.Wrap != nil && !w.Wrap() {
		out, err := w.appendMessage(b, e.message, l)
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
// [ErrMalformed], [ErrVersion] or [ErrOversized] for what cannot be opened, and
// [ErrMessage] for what the codec cannot read; in that last case the envelope
// has the header all the same, so that the failure can be told in its trace.
// Trace or baggage that are malformed inside a message that can be opened are no
// error: they are left out and counted. Before sizes are checked against the
// limits and against data itself, nothing is allocated for them.
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
	counters := w.Counters.or()
	p, err := w.open(data, counters)
	if err != nil {
		counters.fail(err)
		return e, err
	}
	e.header = p.cargo.header(counters)
	if e.message, err = w.codec().Decode(p.message); err != nil {
		counters.undecodable.Add(1)
		return Envelope[M]{header: e.header}, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	return e, nil
}

// parcel is a message and what travels with it, taken apart.
type parcel struct {
	cargo   cargo
	message []byte
}

// open tells bare from wrapped, and takes the message apart.
func (w Wire[M]) open(data []byte, counters *Counters) (p parcel, err error) {
	l := w.limits()
	var fields []byte
	isBinary := strings.HasPrefix(string(data[:min(len(data), len(magic))]), magic)
	wrapped := isBinary
	switch {
	case isBinary:
		fields, p.message, err = openBinary(data, l)
	case w.Form == FormJSON || w.codecJSON():
		fields, p.message, wrapped, err = openJSON(data, l)
	}
	if !wrapped {
		counters.bare.Add(1)
		if w.Accept == AcceptWrappedOnly {
			return p, ErrBare
		}
		return parcel{message: data}, l.check(0, int64(len(data)))
	}
	counters.wrapped.Add(1)
	switch {
	case w.Accept == AcceptBareOnly:
		return p, ErrWrapped
	case err != nil:
		return p, err
	case isBinary:
		p.cargo, err = readBinary(fields)
		return p, err
	case !w.codecJSON() && !json.Valid(p.message): // Ours finds out for itself.
		return p, fmt.Errorf("%w: %w", ErrMalformed, errSyntax)
	}
	p.cargo = readJSON(fields)
	return p, nil
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

// limits are those of a Wire, the defaults filled in.
type limits struct{ header, message int64 }

func (w Wire[M]) limits() limits {
	l := limits{int64(w.MaxHeader), int64(w.MaxMessage)}
	if l.header <= 0 {
		l.header = DefaultMaxHeader
	}
	if l.message <= 0 {
		l.message = DefaultMaxMessage
	}
	if w.Form != FormJSON {
		l.message = min(l.message, maxBinaryMessage)
	}
	return l
}

func (l limits) check(header, message int64) error {
	switch {
	case header > l.header:
		return fmt.Errorf("%w: header of %d bytes", ErrOversized, header)
	case message > l.message:
		return fmt.Errorf("%w: message of %d bytes", ErrOversized, message)
	}
	return nil
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
