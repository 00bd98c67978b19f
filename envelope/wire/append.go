// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"sync/atomic"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/header"
)

// Append appends e to b and returns the result. If Wrap says so, e is written wrapped,
// with what its header has that may travel, which may be nothing. Otherwise it is written
// bare: the bytes of the codec and nothing else. A header above the limit loses its
// baggage, or its baggage and its tracestate. That is counted, and the message goes out.
//
// What Append writes, Decode reads back. So a bare message is refused with
// [ErrAmbiguous] if Decode would take its bytes for a wrapped one, whoever chose them: a
// map from users with the key "waybill:envelope", or an upload that begins with the four
// bytes of the binary form. It can be written wrapped, once all readers know that. A
// reader with another Form or Codec may look for other bytes. In the JSON form the
// message is a value of JSON, and white space around it is not read back.
//
// The error wraps [ErrOversized], [ErrCodec], [ErrAmbiguous] or [ErrConfig]. Then b is
// returned as it was, though the bytes behind its length may have changed. With a b that
// has room, Append allocates only what the codec, the tracestate and the baggage need.
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
	c, lossy := loadCargo((*header.Header)(e.Header()))
	appendCargo := c.appendBinary
	if w.Form == JSON {
		appendCargo = c.appendJSON
	}
	out, cut := appendCargo(b, l.header)
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
		binary.BigEndian.PutUint32(out[len(b)+messageSizeAt:], uint32(len(out)-head)) //nolint:gosec // limits bounds it.
	}
	if cut || lossy {
		atomic.AddUint64(&counters.now().Cut, 1)
	}
	atomic.AddUint64(&counters.now().WrittenWrapped, 1)
	return out, nil
}

// appendBare appends what the codec writes, if a reader takes it for just that.
func (w Config[M]) appendBare(b []byte, message M, l limits) ([]byte, error) {
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
func (w Config[M]) appendMessage(b []byte, message M, l limits) ([]byte, error) {
	out, err := w.codec().Append(b, message)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrCodec, err)
	case len(out) < len(b):
		return nil, fmt.Errorf("%w: it does not append", ErrCodec)
	}
	return out, l.check(0, int64(len(out)-len(b)))
}
