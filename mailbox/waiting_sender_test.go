// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

// A sender that comes to wait the moment room is made gets in: it does not
// wait until the handler that is called next has returned.
func TestRoomMadeAsASenderComesToWait(t *testing.T) {
	const capacity = 2
	sys := newSystem(t)
	for round := range 20_000 {
		ref := spawn(t, sys, "worker", do, mailbox.WithCapacity(capacity))
		held, entered, release := hold()
		short := make(chan struct{})
		accepted := make(chan struct{})
		stuck := false
		require.NoError(t, ref.Send(t.Context(), held))
		await(t, entered)
		require.NoError(t, ref.Send(t.Context(), func(context.Context) error {
			close(short)
			for range round % 50 {
				runtime.Gosched()
			}
			return nil
		}))
		// This one lasts until the sender is in, for which there is room now.
		require.NoError(t, ref.Send(t.Context(), func(context.Context) error {
			timeout := time.NewTimer(patience)
			defer timeout.Stop()
			select {
			case <-accepted:
			case <-timeout.C:
				stuck = true
			}
			return nil
		}))
		release()
		await(t, short)
		require.NoError(t, ref.Send(t.Context(), nothing))
		require.NoError(t, ref.Send(t.Context(), nothing))
		close(accepted)
		require.NoError(t, ref.Stop(t.Context()))
		require.False(t, stuck, "round %d", round)
	}
}
