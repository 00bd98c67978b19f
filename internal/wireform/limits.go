// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wireform

import "fmt"

// Limits are the most bytes that a header and a message may have.
type Limits struct{ Header, Message int64 }

// MaxHeader is the most bytes that a header may have by default.
const MaxHeader = 32 << 10

// Check returns an error if a header or a message of that many bytes is above its limit.
func (l Limits) Check(header, message int64) error {
	switch {
	case header > l.Header:
		return fmt.Errorf("%w: header of %d bytes", ErrOversized, header)
	case message > l.Message:
		return fmt.Errorf("%w: message of %d bytes", ErrOversized, message)
	}
	return nil
}
