// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package grpcstream

import (
	"encoding/binary"
	"errors"
	"time"

	"go.opentelemetry.io/otel/propagation"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/envelope/wire"
	"github.com/waybill-go/waybill/internal/header"
)

// The content of the field is a message in the binary form of package wire: the header, and
// as the message how long it had waited on the sender's side when it was written, as
// nanoseconds in 8 bytes, big-endian. A reader skips what follows these 8 bytes, so that a
// later version can add to it. The size of the header has wire's limit by default.
const (
	waitedSize = 8
	maxWaited  = 64 // bytes
)

// waited is how long a message has waited on the sender's side before it was written, by
// the sender's clock alone.
type waited time.Duration

var errWaited = errors.New("malformed time of waiting")

// waitedCodec is the codec of waited for package wire.
type waitedCodec struct{}

// Append implements wire.Codec.
func (waitedCodec) Append(b []byte, w waited) ([]byte, error) {
	return binary.BigEndian.AppendUint64(b, uint64(max(w, 0))), nil
}

// Decode implements wire.Codec.
func (waitedCodec) Decode(data []byte) (waited, error) {
	if len(data) < waitedSize {
		return 0, errWaited
	}
	ns := binary.BigEndian.Uint64(data)
	if ns > uint64(header.MaxAge) {
		return 0, errWaited
	}
	return waited(ns), nil
}

func wireConfig(boundary propagation.TextMapPropagator, counters *wire.Counters) wire.Config[waited] {
	return wire.Config[waited]{
		Codec: waitedCodec{}, Accept: wire.WrappedOnly, MaxMessage: maxWaited,
		Boundary: boundary, Counters: counters,
	}
}

// appendField appends the field with h, which is not nil, to b.
func appendField(b []byte, h *envelope.Header, config wire.Config[waited]) ([]byte, error) {
	var w waited
	if sent := h.SentAt(); !sent.IsZero() {
		w = waited(time.Since(sent))
	}
	// The size comes first and takes one byte or more. Most fields need one byte.
	start := len(b) + len(fieldTag)
	b = append(b, fieldTag...)
	b = append(b, 0)
	b, err := config.Append(b, envelope.New(w, h))
	if err != nil {
		return b, err
	}
	size := uint64(len(b) - start - 1) //nolint:gosec // It cannot be negative.
	if more := protowire.SizeVarint(size) - 1; more > 0 {
		b = append(b, make([]byte, more)...)
		copy(b[start+1+more:], b[start+1:])
	}
	protowire.AppendVarint(b[:start], size)
	return b, nil
}
