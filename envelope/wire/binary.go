// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/binary"
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
	magic         = "\xf7WB\xf6"
	binaryVersion = 1
	frameSize     = len(magic) + 1 + 2 + 4

	fieldsSizeAt  = len(magic) + 1
	messageSizeAt = fieldsSizeAt + 2

	fieldHead  = 3
	traceSize  = 16 + 8 + 1
	sentSize   = 8
	chainSize  = 4 + 8
	choiceSize = 1
	// The largest sizes that fit.
	maxFields        = math.MaxUint16
	maxBinaryMessage = math.MaxUint32
)

const (
	kindTrace byte = 1 + iota
	kindTraceState
	kindBaggage
	kindSent
	kindChain
	kindChoice
	kindCritical byte = 128
)

// binarySize returns the size of the fields of c.
func (c *contents) binarySize() (n int64) {
	if c.traced() {
		n += fieldHead + traceSize
	}
	for _, s := range [...]string{c.traceState, c.baggage} {
		if s != "" {
			n += fieldHead + int64(len(s))
		}
	}
	if c.sent > 0 {
		n += fieldHead + sentSize
	}
	if c.chained() {
		n += fieldHead + chainSize
	}
	if c.fanout != noFanout {
		n += fieldHead + choiceSize
	}
	return n
}

// appendBinary appends all that comes before a message. The size of the message is set
// later. The fields take no more than limit bytes; cut says whether something was left out
// for that.
func (c *contents) appendBinary(b []byte, limit int64) (_ []byte, cut bool) {
	for c.binarySize() > min(limit, maxFields) && c.cut() {
		cut = true
	}
	b = append(b, magic...)
	b = append(b, binaryVersion)
	b = binary.BigEndian.AppendUint16(b, uint16(c.binarySize())) //nolint:gosec // As just bounded.
	b = append(b, 0, 0, 0, 0)
	if c.traced() {
		b = appendFieldHead(b, kindTrace, traceSize)
		b = append(b, c.traceID[:]...)
		b = append(b, c.spanID[:]...)
		b = append(b, byte(c.flags))
	}
	if c.traceState != "" {
		b = appendFieldHead(b, kindTraceState, len(c.traceState))
		b = append(b, c.traceState...)
	}
	if c.baggage != "" {
		b = appendFieldHead(b, kindBaggage, len(c.baggage))
		b = append(b, c.baggage...)
	}
	if c.sent > 0 {
		b = appendFieldHead(b, kindSent, sentSize)
		b = binary.BigEndian.AppendUint64(b, c.sent)
	}
	if c.chained() {
		b = appendFieldHead(b, kindChain, chainSize)
		b = binary.BigEndian.AppendUint32(b, c.hops)
		b = binary.BigEndian.AppendUint64(b, c.age)
	}
	if c.fanout != noFanout {
		b = appendFieldHead(b, kindChoice, choiceSize)
		b = append(b, byte(c.fanout))
	}
	return b, cut
}

func appendFieldHead(b []byte, kind byte, size int) []byte {
	b = append(b, kind)
	return binary.BigEndian.AppendUint16(b, uint16(size)) //nolint:gosec // All fields together are smaller.
}

// openBinary finds the parts of a message that begins with the magic. It looks only at the
// frame, and allocates only for an error.
func openBinary(data []byte, l limits) (fields, message []byte, err error) {
	if len(data) <= len(magic) {
		return nil, nil, fmt.Errorf("%w: no version", errTruncated)
	}
	if v := data[len(magic)]; v != binaryVersion {
		return nil, nil, fmt.Errorf("%w: %d", ErrVersion, v)
	}
	if len(data) < frameSize {
		return nil, nil, fmt.Errorf("%w: no sizes", errTruncated)
	}
	n := int64(binary.BigEndian.Uint16(data[fieldsSizeAt:]))
	m := int64(binary.BigEndian.Uint32(data[messageSizeAt:]))
	if err := l.check(n, m); err != nil {
		return nil, nil, err
	}
	switch rest := int64(len(data) - frameSize); {
	case rest < n+m:
		return nil, nil, fmt.Errorf("%w: %d of %d bytes", errTruncated, rest, n+m)
	case rest > n+m:
		return nil, nil, fmt.Errorf("%w: %d bytes after the message", ErrMalformed, rest-n-m)
	}
	return data[frameSize:][:n], data[frameSize:][n:], nil
}

// readBinary reads the fields of a message. There is an error if the fields do not end
// where they should, or if one of them needs a newer reader. A bad value in a field is no
// error.
func readBinary(fields []byte) (c contents, err error) {
	for len(fields) > 0 {
		if len(fields) < fieldHead {
			return c, fmt.Errorf("%w: %d bytes after the last field", ErrMalformed, len(fields))
		}
		kind, size := fields[0], int(binary.BigEndian.Uint16(fields[1:]))
		if fields = fields[fieldHead:]; size > len(fields) {
			return c, fmt.Errorf("%w: field %d has %d of %d bytes", ErrMalformed, kind, len(fields), size)
		}
		if kind >= kindCritical {
			return c, fmt.Errorf("%w: critical field %d", ErrVersion, kind)
		}
		c.readField(kind, fields[:size])
		fields = fields[size:]
	}
	return c, nil
}

// readField reads one field, if the reader knows its kind.
func (c *contents) readField(kind byte, value []byte) {
	if kind == 0 || kind > kindChoice {
		return
	}
	again := c.again(kind)
	switch kind {
	case kindTrace:
		if again || len(value) != traceSize {
			c.badTrace = true
			return
		}
		c.setTrace(trace.TraceID(value), trace.SpanID(value[16:]), trace.TraceFlags(value[24]))
	case kindTraceState:
		c.traceState, c.badState = string(value), c.badState || again
	case kindBaggage:
		c.baggage, c.badBaggage = string(value), c.badBaggage || again
	case kindSent:
		if again || len(value) != sentSize {
			c.badChain = true
			return
		}
		c.setSent(binary.BigEndian.Uint64(value))
	case kindChain:
		if again || len(value) != chainSize {
			c.badChain = true
			return
		}
		c.setChain(uint64(binary.BigEndian.Uint32(value)), binary.BigEndian.Uint64(value[4:]))
	case kindChoice:
		if again || len(value) != choiceSize {
			c.badChain = true
			return
		}
		c.setFanout(fanout(value[0]))
	}
}
