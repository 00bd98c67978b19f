// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/json"
	"fmt"
	"sync/atomic"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/wireform"
)

// Append appends e to b and returns the result. If Wrap is nil or returns true, e is
// written wrapped, with its header, which may be empty. Otherwise e is written bare: only
// the bytes of the codec. A header above the limit loses its baggage, and if that is not
// enough, its tracestate too. That is counted, and the message is written.
//
// Decode reads back what Append writes. So Append refuses a bare message with
// [ErrAmbiguous] if Decode would take its bytes for a wrapped one, whoever chose them:
// users may send a map with the key "waybill:envelope", or an upload that begins with the
// four bytes of the binary form. Such a message can be written wrapped, once all readers
// know wrapped messages. A reader with another Form or Codec may look for other bytes. In
// the JSON form the message is a JSON value, and white space around it is not read back.
//
// The error wraps [ErrOversized], [ErrCodec], [ErrAmbiguous] or [ErrConfig]. Then the
// result is b as it was, though the bytes behind its length may have changed. If b has
// room, Append allocates only what the codec, the tracestate and the baggage need.
func (w Config[M]) Append(b []byte, e envelope.Envelope[M]) ([]byte, error) {
	if err := w.Validate(); err != nil {
		return b, err
	}
	l, counters := w.limits(), w.Counters.or()
	if w.Wrap != nil && !w.Wrap() {
		out, err := w.appendBare(b, e.Message(), l)
		if err != nil {
			return b, err
		}
		atomic.AddUint64(&counters.now().WrittenBare, 1)
		return out, nil
	}
	var c wireform.Contents
	lossy := c.Set((*header.Header)(e.Header()))
	var out []byte
	var cut bool
	if w.Form == JSON {
		out, cut = appendJSON(b, &c, l.Header)
	} else {
		out, cut = c.AppendBinary(b, l.Header)
	}
	head := len(out)
	out, err := w.appendMessage(out, e.Message(), l)
	if err != nil {
		return b, err
	}
	if w.Form == JSON {
		if !w.codecJSON() && !json.Valid(out[head:]) {
			return b, fmt.Errorf("%w: it wrote no valid JSON, for the JSON form", ErrCodec)
		}
		out = append(out, '}')
	} else {
		wireform.SetMessageSize(out[len(b):], uint32(len(out)-head)) //nolint:gosec // limits bounds it.
	}
	if cut || lossy {
		atomic.AddUint64(&counters.now().Cut, 1)
	}
	atomic.AddUint64(&counters.now().WrittenWrapped, 1)
	return out, nil
}

// appendBare appends what the codec writes, unless a reader would take it for a wrapped
// message.
func (w Config[M]) appendBare(b []byte, message M, l wireform.Limits) ([]byte, error) {
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
func (w Config[M]) appendMessage(b []byte, message M, l wireform.Limits) ([]byte, error) {
	out, err := w.codec().Append(b, message)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrCodec, err)
	case len(out) < len(b):
		return nil, fmt.Errorf("%w: it does not append", ErrCodec)
	}
	return out, l.Check(0, int64(len(out)-len(b)))
}
