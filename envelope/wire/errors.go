// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire

import "errors"

// Why a [Config] cannot read or write a message. Test with [errors.Is].
var (
	// ErrBare means that a reader of wrapped messages only met a bare one.
	ErrBare = errors.New("wire: bare message refused")
	// ErrWrapped means that a reader of bare messages only met a wrapped one.
	ErrWrapped = errors.New("wire: wrapped message refused")
	// ErrTruncated means that a wrapped message ends too early.
	ErrTruncated = errors.New("wire: wrapped message truncated")
	// ErrMalformed means that a message begins as a wrapped one and does not go
	// on as one.
	ErrMalformed = errors.New("wire: wrapped message malformed")
	// ErrOversized means that a message, or its header, is above a limit.
	ErrOversized = errors.New("wire: message above the limit")
	// ErrVersion means that a wrapped message was made by a newer version of this
	// library, and that this one cannot read it.
	ErrVersion = errors.New("wire: wrapped message of unknown version")
	// ErrCodec means that the codec could not read or write the message. The
	// codec's error is wrapped beside it.
	ErrCodec = errors.New("wire: codec failed")
	// ErrAmbiguous means that a message was not written bare, because a reader
	// would take its bytes for a wrapped one.
	ErrAmbiguous = errors.New("wire: bare message looks like a wrapped one")
	// ErrConfig means that [Config.Validate] refuses the fields of a Config.
	ErrConfig = errors.New("wire: misconfigured")
)
