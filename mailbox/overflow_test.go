// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

// Who waits, is refused or dropped is in TestModel. Here is what that leaves out.

func TestSendWithRoomLooksAtNoContext(t *testing.T) {
	sys := newSystem(t)
	ref := spawn(t, sys, "worker", do)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, ref.Send(ctx, nothing))
	drain(t, sys)
	assert.EqualValues(t, 1, sys.Stats().Handled)
}

func TestCapacityIsBesideTheMessageInHand(t *testing.T) {
	for set, capacity := range map[int]int{0: 1024, 1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 63: 63, 64: 64, 65: 65} {
		t.Run(fmt.Sprint(set), func(t *testing.T) {
			sys := newSystem(t)
			ref := spawn(t, sys, "worker", do, mailbox.WithCapacity(set), mailbox.WithOverflow(mailbox.Refuse))
			release := keepBusy(t, ref)
			sendAll(t, ref, nothings(capacity)...)
			require.ErrorIs(t, ref.Send(t.Context(), nothing), mailbox.ErrFull)
			release()
			drain(t, sys)
			assert.EqualValues(t, capacity+1, sys.Stats().Handled)
		})
	}
}

func TestHandlerWaitsForBoundedTime(t *testing.T) {
	const second = time.Second
	for name, test := range map[string]struct {
		set   []mailbox.SystemOption
		room  time.Duration // when there is some
		waits time.Duration
		err   error
	}{
		"default":      {nil, patience / 2, second, mailbox.ErrFull},
		"set":          {[]mailbox.SystemOption{mailbox.WithHandlerSendTimeout(second / 4)}, patience / 2, second / 4, mailbox.ErrFull},
		"zero":         {[]mailbox.SystemOption{mailbox.WithHandlerSendTimeout(0)}, patience / 2, second, mailbox.ErrFull},
		"negative":     {[]mailbox.SystemOption{mailbox.WithHandlerSendTimeout(-time.Hour)}, patience / 2, second, mailbox.ErrFull},
		"room in time": {nil, second / 2, second / 2, nil},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				sys := newSystem(t, test.set...)
				full, release := fill(t, sys, 1)
				var err error
				var took time.Duration
				sendAll(t, spawn(t, sys, "sender", do), func(ctx context.Context) error {
					elapsed := stopwatch()
					time.AfterFunc(test.room, release)
					err = full.Send(ctx, nothing)
					took = elapsed()
					return nil
				})
				drain(t, sys)
				require.ErrorIs(t, err, test.err)
				assert.Equal(t, test.waits, took)
				assert.Equal(t, test.err != nil, sys.Stats().Refused == mailbox.Refused{Full: 1})
			})
		})
	}
}

// A sender that comes to wait the moment room is made gets in: it does not
// wait until the handler that is called next has returned.
func TestRoomMadeAsASenderComesToWait(t *testing.T) {
	const capacity = 2
	sys := newSystem(t)
	for round := range 20_000 {
		ref := spawn(t, sys, "worker", do, mailbox.WithCapacity(capacity))
		short := make(chan struct{})
		accepted := make(chan struct{})
		stuck := false
		release := keepBusy(t, ref)
		sendAll(t, ref, func(context.Context) error {
			close(short)
			for range round % 50 {
				runtime.Gosched()
			}
			return nil
		}, func(context.Context) error { // This one lasts until the sender is in, for which there is room now.
			timeout := time.NewTimer(patience)
			defer timeout.Stop()
			select {
			case <-accepted:
			case <-timeout.C:
				stuck = true
			}
			return nil
		})
		release()
		await(t, short)
		sendAll(t, ref, nothings(2)...)
		close(accepted)
		require.NoError(t, ref.Stop(t.Context()))
		require.False(t, stuck, "round %d", round)
	}
}
