// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package grpcstream

import (
	"encoding/binary"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/wireform"
)

// The content of the field is a message in the binary form of package wire: the header, and
// as the message how long it had waited on the sender's side when it was written, as
// nanoseconds in 8 bytes, big-endian. A reader skips what follows these 8 bytes, so that a
// later version can add to it.
const (
	waitedSize = 8
	maxWaited  = 64 // bytes
)

// limits are those of a field.
var limits = wireform.Limits{Header: wireform.MaxHeader, Message: maxWaited}

// notKnown is a time of waiting that is not known.
const notKnown time.Duration = -1

// appendField appends the field with h to b. waited is how long the message has waited on this
// side. lossy says whether something had to be left out of h.
func appendField(b []byte, h *header.Header, waited time.Duration) (_ []byte, lossy bool) {
	var c wireform.Contents
	lossy = c.Set(h)
	// The size comes first and takes one byte or more. Most fields need one byte.
	start := len(b) + len(fieldTag)
	b = append(b, fieldTag...)
	b = append(b, 0)
	b, cut := c.AppendBinary(b, limits.Header)
	wireform.SetMessageSize(b[start+1:], waitedSize)
	b = binary.BigEndian.AppendUint64(b, uint64(max(waited, 0)))
	size := uint64(len(b) - start - 1) //nolint:gosec // It cannot be negative.
	if more := protowire.SizeVarint(size) - 1; more > 0 {
		b = append(b, make([]byte, more)...)
		copy(b[start+1+more:], b[start+1:])
	}
	protowire.AppendVarint(b[:start], size)
	return b, lossy || cut
}

// readContent sets c, which is empty, to the content of a field. ok is false if that cannot be
// read. A time of waiting that makes no sense is not known.
func readContent(content []byte, c *wireform.Contents) (waited time.Duration, ok bool) {
	if !wireform.IsBinary(content) {
		return notKnown, false
	}
	fields, message, err := wireform.OpenBinary(content, limits)
	if err != nil || c.ReadBinary(fields) != nil {
		return notKnown, false
	}
	if len(message) < waitedSize {
		return notKnown, true
	}
	ns := binary.BigEndian.Uint64(message)
	if ns > uint64(header.MaxAge) {
		return notKnown, true
	}
	return time.Duration(ns), true
}
