// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope

import "fmt"

// The limits that a [Wire] has by default, in bytes.
const (
	DefaultMaxHeader  = 32 << 10
	DefaultMaxMessage = 64 << 20
)

// smallestJSONHeader is the size of a header in the JSON form that says nothing.
var smallestJSONHeader = len((&cargo{}).appendJSONHeader(nil))

// Validate returns an error that wraps [ErrConfig] if no message could be written
// or read as the fields of w have it: a Form or an Accept without a name, or a
// MaxHeader that no header in the JSON form fits. [Wire.Append] and [Wire.Decode]
// return the same error for every message; a program that wants to know when it
// starts asks here.
func (w Wire[M]) Validate() error {
	switch {
	case w.Form > FormJSON:
		return fmt.Errorf("%w: Form %d", ErrConfig, w.Form)
	case w.Accept > AcceptWrappedOnly:
		return fmt.Errorf("%w: Accept %d", ErrConfig, w.Accept)
	case w.Form == FormJSON && w.MaxHeader > 0 && w.MaxHeader < smallestJSONHeader:
		return fmt.Errorf("%w: MaxHeader %d, and no header in the JSON form has less than %d bytes",
			ErrConfig, w.MaxHeader, smallestJSONHeader)
	}
	return nil
}

// limits are those of a Wire, the defaults filled in.
type limits struct{ header, message int64 }

func (w Wire[M]) limits() limits {
	l := limits{int64(w.MaxHeader), int64(w.MaxMessage)}
	if l.header <= 0 {
		l.header = DefaultMaxHeader
	}
	if l.message <= 0 {
		l.message = DefaultMaxMessage
	}
	if w.Form != FormJSON {
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
