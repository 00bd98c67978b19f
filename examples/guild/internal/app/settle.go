// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"fmt"
	"time"

	"github.com/waybill-go/waybill/mailbox"
)

const lookAgain = 5 * time.Millisecond

// settle waits until no message is on its way, so that all spans have ended.
func (s *services) settle(ctx context.Context) error {
	return poll(ctx, "messages did not come to rest", func() bool {
		return atRest(s.guilds.Stats()) && atRest(s.sessions.Stats())
	})
}

func atRest(n mailbox.Stats) bool { return n.Queued == 0 && n.Waiting == 0 }

// waitForSessions waits until n sessions have subscribed: a client's connection
// stands before its session does.
func (s *services) waitForSessions(ctx context.Context, n int) error {
	return poll(ctx, "sessions did not subscribe", func() bool { return s.sessions.Subscribed() >= n })
}

func poll(ctx context.Context, failure string, done func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, deliveryTime)
	defer cancel()
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", failure, ctx.Err())
		}
	}
	return nil
}
