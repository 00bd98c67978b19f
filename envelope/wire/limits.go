// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"fmt"
	"math"
)

// The limits by default, in bytes.
const (
	defaultMaxHeader  = 32 << 10
	defaultMaxMessage = 64 << 20
)

// limits are the limits of a Config, with the defaults filled in.
type limits struct{ header, message int64 }

func (w Config[M]) limits() limits {
	l := limits{limitOf(w.MaxHeader, defaultMaxHeader), limitOf(w.MaxMessage, defaultMaxMessage)}
	if w.Form != JSON {
		l.message = min(l.message, maxBinaryMessage)
	}
	return l
}

// limitOf returns a limit that was set: zero means the default, less means none.
func limitOf(set int, byDefault int64) int64 {
	switch {
	case set == 0:
		return byDefault
	case set < 0:
		return math.MaxInt64
	default:
		return int64(set)
	}
}

// check returns an error if a header or a message of that many bytes is above its limit.
func (l limits) check(header, message int64) error {
	switch {
	case header > l.header:
		return fmt.Errorf("%w: header of %d bytes", ErrOversized, header)
	case message > l.message:
		return fmt.Errorf("%w: message of %d bytes", ErrOversized, message)
	}
	return nil
}
