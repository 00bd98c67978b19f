// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/wireform"
)

// Decode reads a message, bare or wrapped, that takes up all of data. It neither changes
// data nor keeps it: after an error the bytes can go to a log, another reader or a queue
// of dead letters.
//
// The error wraps [ErrBare] or [ErrWrapped] if Accept refuses the message, [ErrMalformed],
// [ErrVersion] or [ErrOversized] if it cannot be opened, [ErrCodec] if the codec cannot
// read it, and [ErrConfig] if the Config is not valid. With ErrCodec the envelope has the
// header, so that the failure can be recorded in its trace. If the trace or the baggage of
// a message is malformed and the message can be opened, that is no error: what is
// malformed is left out and counted. Sizes are checked against the limits and against data
// before anything is allocated for them.
//
// Warning: whoever wrote a message may have claimed anything in its header. Without a
// Boundary all of it is believed. A stranger can then have any message recorded, say that
// its span stands for 10¹⁵ others and has waited for years, cut a chain of messages, and
// set baggage. A Boundary reads the trace and the baggage by its policy:
//
//   - Continue believes the trace, its tracestate, the time of sending, and the hops, age
//     and fan-out of the chain.
//   - ContinueIDs believes the identifiers and flags of the trace, and none of the rest.
//     The message counts as sent when it is read.
//   - Link believes nothing of the trace. For a message with a trace, sampled or not,
//     [envelope.Receive], [envelope.Handler] and [envelope.BatchHandler] begin a new
//     trace, if the sampler wants one, with a link to the caller's span.
//     [envelope.Envelope.Unwrap] puts the caller into the context, and no
//     [envelope.Sentinel], as an extraction from a request does. Then you start the first
//     span yourself.
//   - Ignore makes an untraced message.
//
// The Propagator of the Boundary decides which baggage comes in. The Boundary counts what
// it refuses.
//
// A message is wrapped if its first four bytes are f7 57 42 f6. No UTF-8, UTF-16, gob or
// Protocol Buffers begin with them. Other bytes may: one random message in 4,294,967,296
// does, and is refused, or misread if its next bytes fit too. If Form is JSON or Codec is
// [JSONCodec], a JSON object with a member "waybill:envelope" is wrapped too. To rule out
// any mistake, have all writers wrap and all readers accept only wrapped messages: nothing
// is looked for inside a wrapped message. A wrapped message that was cut off within its
// first bytes, of which the binary form has three, is bare to a reader. Its codec must
// refuse it.
//
// The time of sending comes from the sender's clock. A time after now is taken for now, so
// that no message has waited for less than nothing. If the sender's clock is behind,
// messages seem to have waited longer, by as much.
//
// In the binary form, a bare message and a wrapped one with an empty header allocate only
// what the codec needs. A traced message allocates its header too. The JSON form allocates
// two strings more.
func (w Config[M]) Decode(data []byte) (envelope.Envelope[M], error) {
	if err := w.Validate(); err != nil {
		return envelope.Envelope[M]{}, err
	}
	counters := w.Counters.or()
	var c wireform.Contents
	data, err := w.open(data, &c, counters)
	if err != nil {
		counters.fail(err)
		return envelope.Envelope[M]{}, err
	}
	h := (*envelope.Header)(c.Header(time.Time{}, w.Boundary, header.Of))
	counters.bad(&c)
	message, err := w.codec().Decode(data)
	if err != nil {
		atomic.AddUint64(&counters.now().Undecodable, 1)
		var none M
		return envelope.New(none, h), fmt.Errorf("%w: %w", ErrCodec, err)
	}
	return envelope.New(message, h), nil
}

// open tells bare from wrapped messages. It sets c, which is empty, to the contents of the
// header, and returns the message.
func (w Config[M]) open(data []byte, c *wireform.Contents, counters *Counters) (message []byte, err error) {
	l := w.limits()
	p, err := w.takeApart(data, l)
	if !p.wrapped {
		atomic.AddUint64(&counters.now().Bare, 1)
		if w.Accept == WrappedOnly {
			return nil, ErrBare
		}
		return data, l.Check(0, int64(len(data)))
	}
	atomic.AddUint64(&counters.now().Wrapped, 1)
	switch {
	case w.Accept == BareOnly:
		return nil, ErrWrapped
	case err != nil:
		return nil, err
	case p.binary:
		return p.message, c.ReadBinary(p.fields)
	case !w.codecJSON() && !json.Valid(p.message): // Ours finds out for itself.
		return nil, fmt.Errorf("%w: %w", ErrMalformed, errSyntax)
	}
	readJSON(p.fields, c)
	return p.message, nil
}

// parts are the parts of a wrapped message. A bare one has none.
type parts struct {
	wrapped, binary bool
	fields, message []byte
}

// takeApart finds the parts of a message. The error says why a wrapped message cannot be
// opened.
func (w Config[M]) takeApart(data []byte, l wireform.Limits) (p parts, err error) {
	switch {
	case wireform.IsBinary(data):
		p.wrapped, p.binary = true, true
		p.fields, p.message, err = wireform.OpenBinary(data, l)
	case w.Form == JSON || w.codecJSON():
		p.fields, p.message, p.wrapped, err = openJSON(data, l)
	}
	return p, err
}
