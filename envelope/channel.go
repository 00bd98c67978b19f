// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"context"

	"github.com/waybill-go/waybill/internal/header"
)

// Send wraps message and sends it on ch. It blocks until the message is sent or ctx ends, and
// returns nil or ctx.Err(). If both are possible, either may happen. After an error the message
// was not sent. As with a plain send, ch must not be closed. Any number of goroutines may send
// at the same time. The message carries what [NewHeader] takes from ctx, or what carry takes;
// if several are given, the last one counts.
func Send[M any](ctx context.Context, ch chan<- Envelope[M], message M, carry ...CarryPolicy) error {
	e := Wrap(ctx, message, carry...)
	select {
	case ch <- e: // The common case first: it needs no look at ctx.Done.
		return nil
	default:
	}
	ctx = header.OrBackground(ctx)
	select {
	case ch <- e:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TrySend wraps message and sends it on ch if that is possible at once. It never blocks, and
// reports whether the message was sent. As with a plain send, ch must not be closed. For
// carry see [Send].
func TrySend[M any](ctx context.Context, ch chan<- Envelope[M], message M, carry ...CarryPolicy) bool {
	select {
	case ch <- Wrap(ctx, message, carry...):
		return true
	default:
		return false
	}
}
