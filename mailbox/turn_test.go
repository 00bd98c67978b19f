// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A process that is never out of messages lets others have their turn every 64.
func TestBusyProcessLetsOthersHaveTheirTurn(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // The system has one worker.
	sys := newSystem(t)
	other := spawn(t, sys, "other", do)
	endless := spawn(t, sys, "endless", do)
	var turn atomic.Bool
	waits := make(chan int, 1)
	n := 0
	var again job
	again = func(ctx context.Context) error {
		if n == 0 {
			assert.NoError(t, other.Send(ctx, func(context.Context) error {
				turn.Store(true)
				return nil
			}))
		}
		n++
		if turn.Load() || n > 10_000 {
			waits <- n
			return nil
		}
		return endless.Send(ctx, again)
	}
	require.NoError(t, endless.Send(t.Context(), again))
	assert.LessOrEqual(t, await(t, waits), 2*64)
	drain(t, sys)
}
