// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"errors"

	"github.com/waybill-go/waybill/internal/wireform"
)

// Why a [Config] cannot read or write a message. Test with [errors.Is].
var (
	// ErrBare means that a message is bare, and the reader accepts only wrapped ones.
	ErrBare = errors.New("wire: bare message refused")
	// ErrWrapped means that a message is wrapped, and the reader accepts only bare ones.
	ErrWrapped = errors.New("wire: wrapped message refused")
	// ErrMalformed means that a message begins as a wrapped one, and does not go on as
	// one or ends too early.
	ErrMalformed = wireform.ErrMalformed
	// ErrOversized means that a message, or its header, is above a limit.
	ErrOversized = wireform.ErrOversized
	// ErrVersion means that a wrapped message needs a reader with a newer version of this
	// library.
	ErrVersion = wireform.ErrVersion
	// ErrCodec means that the codec could not read or write the message. The error wraps
	// the codec's error too.
	ErrCodec = errors.New("wire: codec failed")
	// ErrAmbiguous means that a message was not written bare, because a reader would take
	// its bytes for a wrapped one.
	ErrAmbiguous = errors.New("wire: bare message looks like a wrapped one")
	// ErrConfig means that [Config.Validate] refuses the fields of the Config.
	ErrConfig = errors.New("wire: misconfigured")
)
