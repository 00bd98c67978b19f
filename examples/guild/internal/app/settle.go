// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"fmt"
	"time"

	"github.com/waybill-go/waybill/examples/guild/internal/load"
	"github.com/waybill-go/waybill/mailbox"
)

const lookAgain = 5 * time.Millisecond

// settle waits until no message is on its way and all spans have ended: that of a
// request does a moment after its client has the answer.
func (r *run) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, load.StallTime)
	defer cancel()
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for !r.services.atRest() || r.spans.Open() > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("messages did not come to rest: %w", ctx.Err())
		}
	}
	if fleet := r.services.fleet.Load(); fleet != nil {
		return fleet.Settle(ctx)
	}
	return nil
}

func (s *services) atRest() bool {
	return atRest(s.guilds.Stats()) && atRest(s.sessions.Stats()) && (s.hub == nil || atRest(s.hub.Stats()))
}

func atRest(n mailbox.Stats) bool { return n.Queued == 0 && n.Waiting == 0 }
