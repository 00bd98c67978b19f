// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"fmt"
	"time"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/examples/guild/internal/sessions"
)

// client is one client of the load: it takes every message of its guild once and
// in order, over however many sessions, one after the other.
type client struct {
	ledger *ledger
	guild  int
	each   time.Duration // how long it takes for a message
	joined bool
	last   int64 // number of the latest message that it has
}

// since says from where it wants to go on.
func (c *client) since() int64 {
	if !c.joined {
		return sessions.Live
	}
	return c.last
}

// take takes what a session tells its client.
func (c *client) take(_ context.Context, e chat.Event) error {
	switch e := e.(type) {
	case *chat.Ready:
		return c.begin(e)
	case *chat.MessageCreate:
		if e.Seq != c.last+1 {
			return fmt.Errorf("message %d came after %d", e.Seq, c.last)
		}
		if c.each > 0 {
			time.Sleep(c.each)
		}
		c.last = e.Seq
		c.ledger.take(c.guild, e.Seq)
	}
	return nil
}

func (c *client) begin(e *chat.Ready) error {
	switch {
	case !c.joined:
		c.joined, c.last = true, e.Last
		c.ledger.join(c.guild, e.Last)
	case e.Last != c.last+e.Missed:
		return fmt.Errorf("a session goes on from message %d, without %d, after %d", e.Last, e.Missed, c.last)
	default:
		c.ledger.tell(c.guild, c.last, e.Last)
		c.last = e.Last
	}
	return nil
}
