// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package fanout

import (
	"context"

	"github.com/waybill-go/waybill/envelope"
)

// Overflow is what [Send] does with a channel that has no room.
type Overflow int

const (
	// Refuse leaves the channel out.
	Refuse Overflow = iota
	// DropOldest takes the oldest message out of the channel, which nobody will handle, and
	// sends this one. If the channel has no buffer, it is left out.
	DropOldest
	// Wait waits until there is room or the context ends. One slow receiver then delays all
	// that come after it.
	Wait
)

// Send sends message on all channels: a broadcast of f to receivers that range over theirs
// with [envelope.Receive]. It returns what became of it, and the indexes of the channels that
// have lost a message: this one, or with [DropOldest] their oldest. With [Refuse] and
// [DropOldest] it does not block.
//
// As with a plain send, no channel may be closed. Others may send on them and receive from
// them at the same time. Send does not keep channels.
func Send[M any](
	ctx context.Context, f *Fanout, channels []chan envelope.Envelope[M], message M, overflow Overflow,
) (d Delivery, lost []int) {
	b := f.Begin(ctx, len(channels))
	defer b.End() // Also if a channel is closed.
	for i, ch := range channels {
		e := envelope.New(message, b.Next())
		if trySend(ch, e) {
			continue
		}
		sent, dropped, reason := false, false, Full
		switch overflow {
		case DropOldest:
			sent, dropped = dropOldest(f, ch, e)
		case Wait:
			sent, reason = wait(b.ctx, ch, e), Cancelled
		}
		if !sent {
			b.Refuse(reason)
		}
		if !sent || dropped {
			lost = append(lost, i)
		}
	}
	return b.End(), lost
}

func trySend[M any](ch chan<- envelope.Envelope[M], e envelope.Envelope[M]) bool {
	select {
	case ch <- e:
		return true
	default:
		return false
	}
}

func wait[M any](ctx context.Context, ch chan<- envelope.Envelope[M], e envelope.Envelope[M]) bool {
	select {
	case ch <- e:
		return true
	case <-ctx.Done():
		return false
	}
}

// dropOldest makes room for e. If others send at the same time, it may drop several.
func dropOldest[M any](f *Fanout, ch chan envelope.Envelope[M], e envelope.Envelope[M]) (sent, dropped bool) {
	if cap(ch) == 0 {
		return false, false // What it would take comes from somebody who waits to send it.
	}
	for {
		select {
		case oldest := <-ch:
			dropped = true
			f.Drop(oldest.Header(), Dropped)
		default:
			return trySend(ch, e), dropped
		}
		if trySend(ch, e) {
			return true, dropped
		}
	}
}
