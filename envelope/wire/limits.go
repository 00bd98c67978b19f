// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"math"

	"github.com/waybill-go/waybill/internal/wireform"
)

// defaultMaxMessage is the most bytes that a message may have by default.
const defaultMaxMessage = 64 << 20

// limits returns the limits of a Config, with the defaults filled in.
func (w Config[M]) limits() wireform.Limits {
	l := wireform.Limits{Header: limitOf(w.MaxHeader, wireform.MaxHeader), Message: limitOf(w.MaxMessage, defaultMaxMessage)}
	if w.Form != JSON {
		l.Message = min(l.Message, wireform.MaxMessage)
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
