// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"fmt"
	"time"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/examples/guild/internal/sessions"
)

// Client is one client of the load: it takes every message of its guild once and
// in order, over however many sessions, one after the other.
type Client struct {
	Ledger *Ledger
	Guild  int
	Each   time.Duration // how long it takes for a message

	joined bool
	last   int64 // number of the latest message that it has
}

// Since says from where it wants to go on.
func (c *Client) Since() int64 {
	if !c.joined {
		return sessions.Live
	}
	return c.last
}

// Take takes what a session tells its client.
func (c *Client) Take(_ context.Context, e chat.Event) error {
	switch e := e.(type) {
	case *chat.Ready:
		return c.begin(e)
	case *chat.MessageCreate:
		if e.Seq != c.last+1 {
			return fmt.Errorf("message %d came after %d", e.Seq, c.last)
		}
		if c.Each > 0 {
			time.Sleep(c.Each)
		}
		c.last = e.Seq
		c.Ledger.Take(c.Guild, e.Seq)
	}
	return nil
}

func (c *Client) begin(e *chat.Ready) error {
	switch {
	case !c.joined:
		c.joined, c.last = true, e.Last
		c.Ledger.Join(c.Guild, e.Last)
	case e.Last != c.last+e.Missed:
		return fmt.Errorf("a session goes on from message %d, without %d, after %d", e.Last, e.Missed, c.last)
	default:
		c.Ledger.Tell(c.Guild, c.last, e.Last)
		c.last = e.Last
	}
	return nil
}
