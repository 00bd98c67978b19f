// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"fmt"
	"time"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
)

// client is one client of the load: it takes every message of its guild once and
// in order.
type client struct {
	ledger *ledger
	guild  int
	each   time.Duration // how long it takes for a message
	joined bool
	last   int64 // number of the latest message that it has
}

// take takes what a session tells its client.
func (c *client) take(_ context.Context, e chat.Event) error {
	switch e := e.(type) {
	case *chat.Ready:
		c.joined, c.last = true, e.Last
		c.ledger.join(c.guild, e.Last)
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
