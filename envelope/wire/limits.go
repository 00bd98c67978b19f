// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire

import "fmt"

// The limits by default, in bytes.
const (
	defaultMaxHeader  = 32 << 10
	defaultMaxMessage = 64 << 20
)

// limits are those of a Config, the defaults filled in.
type limits struct{ header, message int64 }

func (w Config[M]) limits() limits {
	l := limits{int64(w.MaxHeader), int64(w.MaxMessage)}
	if l.header <= 0 {
		l.header = defaultMaxHeader
	}
	if l.message <= 0 {
		l.message = defaultMaxMessage
	}
	if w.Form != JSON {
		l.message = min(l.message, maxBinaryMessage)
	}
	return l
}

func (l limits) check(header, message int64) error {
	switch {
	case header > l.header:
		return fmt.Errorf("%w: header of %d bytes", ErrOversized, header)
	case message > l.message:
		return fmt.Errorf("%w: message of %d bytes", ErrOversized, message)
	}
	return nil
}
