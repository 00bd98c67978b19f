// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"context"
	"time"

	"github.com/waybill-go/waybill/internal/nonrecording"
	"github.com/waybill-go/waybill/internal/tracestate"
)

// Bounds on where a message can be in a chain. Hops and age stop there, so that
// nothing overflows, however long a chain goes on and whatever a peer claims of it.
const (
	maxHops = 1 << 30
	maxAge  = 10 * 365 * 24 * time.Hour
)

// older returns the age of a chain that had that age so much earlier. Both may be
// negative, if a message was said to be sent before its header was made.
func older(age, later time.Duration) time.Duration {
	const far = 1 << 62
	return min(max(age, -far)+min(max(later, -far), far), maxAge)
}

// chained is a context made from a sampled header, with its span context as the
// current span. It holds that header, so that those of the next messages can count
// on.
type chained struct {
	context.Context //nolint:containedctx // It is a context itself.

	header *Header
	span   nonrecording.Span
}

type chainKey struct{}

// Value implements context.Context.
func (c *chained) Value(key any) any {
	switch key {
	case nonrecording.Key:
		return &c.span
	case chainKey{}:
		return c.header
	case tracestate.Key{}:
		return c.header.beside
	default:
		return c.Context.Value(key)
	}
}
