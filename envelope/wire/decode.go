// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/json"
	"fmt"
	"sync/atomic"

	"github.com/waybill-go/waybill/envelope"
)

// Decode reads a message that takes up all of data, bare or wrapped. It neither
// changes data nor keeps it: after an error it is there for a log, another
// reader or a queue of dead letters.
//
// The errors wrap [ErrBare] or [ErrWrapped] where Accept says so, [ErrTruncated],
// [ErrMalformed], [ErrVersion] or [ErrOversized] for what cannot be opened,
// [ErrConfig] for a Config that is not valid, and [ErrCodec] for what the codec
// cannot read; in that last case the envelope has the header all the same, so that
// the failure can be told in its trace.
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
//     [envelope.Receive], [envelope.Handler] and [envelope.BatchHandler] begin a
//     new one, if the sampler wants that, with a link to the caller's span. Who
//     opens the envelope by [envelope.Envelope.Unwrap] finds the caller in the
//     context, with no [envelope.Sentinel], as after an extraction from a request,
//     and starts the first span.
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
func (w Config[M]) Decode(data []byte) (envelope.Envelope[M], error) {
	if err := w.Validate(); err != nil {
		return envelope.Envelope[M]{}, err
	}
	counters := w.Counters.or()
	c, data, err := w.open(data, counters)
	if err != nil {
		counters.fail(err)
		return envelope.Envelope[M]{}, err
	}
	h := (*envelope.Header)(c.header(counters, w.Boundary))
	message, err := w.codec().Decode(data)
	if err != nil {
		atomic.AddUint64(&counters.now().Undecodable, 1)
		var none M
		return envelope.New(none, h), fmt.Errorf("%w: %w", ErrCodec, err)
	}
	return envelope.New(message, h), nil
}

// open tells bare from wrapped, and returns what travels with the message and the
// message.
func (w Config[M]) open(data []byte, counters *Counters) (c cargo, message []byte, err error) {
	l := w.limits()
	p, err := w.takeApart(data, l)
	if !p.wrapped {
		atomic.AddUint64(&counters.now().Bare, 1)
		if w.Accept == WrappedOnly {
			return c, nil, ErrBare
		}
		return c, data, l.check(0, int64(len(data)))
	}
	atomic.AddUint64(&counters.now().Wrapped, 1)
	switch {
	case w.Accept == BareOnly:
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
func (w Config[M]) takeApart(data []byte, l limits) (p parts, err error) {
	switch {
	case len(data) >= len(magic) && string(data[:len(magic)]) == magic:
		p.wrapped, p.binary = true, true
		p.fields, p.message, err = openBinary(data, l)
	case w.Form == JSON || w.codecJSON():
		p.fields, p.message, p.wrapped, err = openJSON(data, l)
	}
	return p, err
}
