// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wireform

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"go.opentelemetry.io/otel/trace"
)

// The binary form. All numbers are big-endian.
//
//	offset      size  what
//	0           4     magic: f7 57 42 f6
//	4           1     version: 1
//	5           2     n, the size of all fields
//	7           4     m, the size of the message
//	11          n     fields: what travels with the message
//	11+n        m     the message, as its codec wrote it
//
// There is nothing after the message. A field is
//
//	0           1     kind
//	1           2     s, the size of the value
//	3           s     value
//
// and the kinds are
//
//	1  trace ID (16 bytes), span ID (8), trace flags (1)
//	2  tracestate, as in the header of W3C Trace Context
//	3  baggage, as in the header of W3C Baggage
//	4  time of sending, in nanoseconds since 1970 UTC (8)
//	5  hops (4), age in nanoseconds (8)
//	6  fanout (1): 1 sampled by a fan-out, 2 sampled and linked
//
// in any order, none more than once. A reader skips a kind that it does not know. If the
// kind is critical, which is 128 or above, it refuses the message with [ErrVersion]. So a
// later version of this library can add fields. A change of anything before the fields
// needs another version number, which all readers of version 1 refuse. Magic and version
// stay where they are for ever.
//
// No UTF-8 text begins with the byte f7. Neither does a stream of gob, whose first byte is
// below 80 or above f7, nor a message of Protocol Buffers, because wire type 7 does not
// exist. The four bytes are no text in UTF-16 either: in each order of bytes, one code unit
// is for private use.
const (
	magic     = "\xf7WB\xf6"
	version   = 1
	frameSize = len(magic) + 1 + 2 + 4

	fieldsSizeAt  = len(magic) + 1
	messageSizeAt = fieldsSizeAt + 2

	fieldHead  = 3
	traceSize  = 16 + 8 + 1
	sentSize   = 8
	chainSize  = 4 + 8
	choiceSize = 1
	// The largest sizes that fit.
	maxFields = math.MaxUint16
	// MaxMessage is the most bytes that a message may have.
	MaxMessage = math.MaxUint32
)

// Why a message cannot be read. Package wire has the same errors.
var (
	ErrMalformed = errors.New("wire: wrapped message malformed")
	ErrTruncated = fmt.Errorf("%w: truncated", ErrMalformed)
	ErrOversized = errors.New("wire: message above the limit")
	ErrVersion   = errors.New("wire: wrapped message of unknown version")
)

// IsBinary reports whether a message begins with the magic.
func IsBinary(data []byte) bool { return len(data) >= len(magic) && string(data[:len(magic)]) == magic }

// The kinds of fields.
const (
	KindTrace byte = 1 + iota
	KindTraceState
	KindBaggage
	KindSent
	KindChain
	KindChoice
	kindCritical byte = 128
)

// binarySize returns the size of the fields of c.
func (c *Contents) binarySize() (n int64) {
	if c.Traced() {
		n += fieldHead + traceSize
	}
	for _, s := range [...]string{c.TraceState, c.Baggage} {
		if s != "" {
			n += fieldHead + int64(len(s))
		}
	}
	if c.Sent > 0 {
		n += fieldHead + sentSize
	}
	if c.Chained() {
		n += fieldHead + chainSize
	}
	if c.Fanout != NoFanout {
		n += fieldHead + choiceSize
	}
	return n
}

// AppendBinary appends all that comes before a message. [SetMessageSize] sets its size later.
// The fields take no more than limit bytes; cut says whether something was left out for that.
func (c *Contents) AppendBinary(b []byte, limit int64) (_ []byte, cut bool) {
	for c.binarySize() > min(limit, maxFields) && c.Cut() {
		cut = true
	}
	b = append(b, magic...)
	b = append(b, version)
	b = binary.BigEndian.AppendUint16(b, uint16(c.binarySize())) //nolint:gosec // As just bounded.
	b = append(b, 0, 0, 0, 0)
	if c.Traced() {
		b = appendFieldHead(b, KindTrace, traceSize)
		b = append(b, c.TraceID[:]...)
		b = append(b, c.SpanID[:]...)
		b = append(b, byte(c.Flags))
	}
	if c.TraceState != "" {
		b = appendFieldHead(b, KindTraceState, len(c.TraceState))
		b = append(b, c.TraceState...)
	}
	if c.Baggage != "" {
		b = appendFieldHead(b, KindBaggage, len(c.Baggage))
		b = append(b, c.Baggage...)
	}
	if c.Sent > 0 {
		b = appendFieldHead(b, KindSent, sentSize)
		b = binary.BigEndian.AppendUint64(b, c.Sent)
	}
	if c.Chained() {
		b = appendFieldHead(b, KindChain, chainSize)
		b = binary.BigEndian.AppendUint32(b, c.Hops)
		b = binary.BigEndian.AppendUint64(b, c.Age)
	}
	if c.Fanout != NoFanout {
		b = appendFieldHead(b, KindChoice, choiceSize)
		b = append(b, byte(c.Fanout))
	}
	return b, cut
}

// SetMessageSize sets the size of the message in what AppendBinary has appended.
func SetMessageSize(appended []byte, size uint32) {
	binary.BigEndian.PutUint32(appended[messageSizeAt:], size)
}

func appendFieldHead(b []byte, kind byte, size int) []byte {
	b = append(b, kind)
	return binary.BigEndian.AppendUint16(b, uint16(size)) //nolint:gosec // All fields together are smaller.
}

// OpenBinary finds the parts of a message that begins with the magic. It looks only at the
// frame, and allocates only for an error.
func OpenBinary(data []byte, l Limits) (fields, message []byte, err error) {
	if len(data) <= len(magic) {
		return nil, nil, fmt.Errorf("%w: no version", ErrTruncated)
	}
	if v := data[len(magic)]; v != version {
		return nil, nil, fmt.Errorf("%w: %d", ErrVersion, v)
	}
	if len(data) < frameSize {
		return nil, nil, fmt.Errorf("%w: no sizes", ErrTruncated)
	}
	n := int64(binary.BigEndian.Uint16(data[fieldsSizeAt:]))
	m := int64(binary.BigEndian.Uint32(data[messageSizeAt:]))
	if err := l.Check(n, m); err != nil {
		return nil, nil, err
	}
	switch rest := int64(len(data) - frameSize); {
	case rest < n+m:
		return nil, nil, fmt.Errorf("%w: %d of %d bytes", ErrTruncated, rest, n+m)
	case rest > n+m:
		return nil, nil, fmt.Errorf("%w: %d bytes after the message", ErrMalformed, rest-n-m)
	}
	return data[frameSize:][:n], data[frameSize:][n:], nil
}

// ReadBinary sets c, which is empty, to the fields of a message. There is an error if the
// fields do not end where they should, or if one of them needs a newer reader. A bad value in a
// field is no error.
func (c *Contents) ReadBinary(fields []byte) error {
	for len(fields) > 0 {
		if len(fields) < fieldHead {
			return fmt.Errorf("%w: %d bytes after the last field", ErrMalformed, len(fields))
		}
		kind, size := fields[0], int(binary.BigEndian.Uint16(fields[1:]))
		if fields = fields[fieldHead:]; size > len(fields) {
			return fmt.Errorf("%w: field %d has %d of %d bytes", ErrMalformed, kind, len(fields), size)
		}
		if kind >= kindCritical {
			return fmt.Errorf("%w: critical field %d", ErrVersion, kind)
		}
		c.readField(kind, fields[:size])
		fields = fields[size:]
	}
	return nil
}

// KindAge is for Again, to find a repeated age where that is apart. In the binary form the age
// has no field of its own.
const KindAge = KindChoice + 1

// Again reports whether a field, or what another form has in its place, was there before.
func (c *Contents) Again(kind byte) bool {
	before := c.seen&(1<<kind) != 0
	c.seen |= 1 << kind
	return before
}

// readField reads one field, if the reader knows its kind.
func (c *Contents) readField(kind byte, value []byte) {
	if kind == 0 || kind > KindChoice {
		return
	}
	again := c.Again(kind)
	switch kind {
	case KindTrace:
		if again || len(value) != traceSize {
			c.BadTrace = true
			return
		}
		c.SetTrace(trace.TraceID(value), trace.SpanID(value[16:]), trace.TraceFlags(value[24]))
	case KindTraceState:
		c.TraceState, c.BadState = string(value), c.BadState || again
	case KindBaggage:
		c.Baggage, c.BadBaggage = string(value), c.BadBaggage || again
	case KindSent:
		if again || len(value) != sentSize {
			c.BadChain = true
			return
		}
		c.SetSent(binary.BigEndian.Uint64(value))
	case KindChain:
		if again || len(value) != chainSize {
			c.BadChain = true
			return
		}
		c.SetChain(uint64(binary.BigEndian.Uint32(value)), binary.BigEndian.Uint64(value[4:]))
	case KindChoice:
		if again || len(value) != choiceSize {
			c.BadChain = true
			return
		}
		c.SetFanout(Fanout(value[0]))
	}
}
