// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Nothing is lost in silence: whatever senders, failures, kills and stops do
// to each other, the system's counts add up at any time, and are the senders'
// own once these are done.
func TestConservation(t *testing.T) {
	seeds := []uint64{1, 2, 3, 4, 5, 6, 7, 8, rand.Uint64()}
	for _, seed := range seeds {
		t.Run(fmt.Sprintf("in time seed %d", seed), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				conserve(t, newStorm(t, seed, time.Sleep))
			})
		})
		t.Run(fmt.Sprintf("in haste seed %d", seed), func(t *testing.T) {
			conserve(t, newStorm(t, seed, func(time.Duration) { runtime.Gosched() }))
		})
	}
}

func conserve(t *testing.T, s *storm) {
	t.Helper()
	done := make(chan struct{})
	sampler := make(chan int)
	go func() { // Counts are checked while everything runs.
		samples := 0
		for {
			select {
			case <-done:
				sampler <- samples
				return
			default:
				s.sample(t)
				samples++
				s.pause(50 * time.Microsecond)
			}
		}
	}()
	s.blow(t)
	close(done)
	t.Logf("%d samples while it ran", <-sampler)

	stats := s.end(t)
	requireAtRest(t, stats)
	own := &s.own
	assert.Zero(t, stats.Processes)
	assert.Equal(t, own.started.Load(), own.finished(), "senders that never came back")
	assert.Equal(t, own.started.Load(), stats.Accepted+stats.Refused.Total(), "sent = accepted + refused")
	assert.Equal(t, own.handled.Load(), stats.Handled)
	assert.Equal(t, own.failed.Load(), stats.Failed)

	// A rejection by a broadcast has no reason, and a call's result does not
	// always tell whether it was taken in. Where they do tell they must agree.
	doubtful, rejected := own.doubtful.Load(), own.rejected.Load()
	if !s.calls {
		require.Zero(t, doubtful)
	}
	for _, test := range []struct {
		name                 string
		got, own, perhapsToo uint64
	}{
		{"accepted", stats.Accepted, own.accepted.Load(), doubtful},
		{"refused as full", stats.Refused.Full, own.full.Load(), rejected},
		{"refused as stopped", stats.Refused.Stopped, own.stopped.Load(), rejected + doubtful},
		{"refused as cancelled", stats.Refused.Cancelled, own.cancelled.Load(), doubtful},
	} {
		assert.GreaterOrEqual(t, test.got, test.own, test.name)
		assert.LessOrEqual(t, test.got, test.own+test.perhapsToo, test.name)
	}

	// Each message by itself.
	for i := range s.messages.Load() {
		m := &s.log[i]
		handled, taken, refused := m.handled.Load(), m.taken.Load(), m.refused.Load()
		require.LessOrEqual(t, int64(handled), int64(taken)+int64(m.doubtful.Load()), "message %d", i)
		if refused > 0 && taken == 0 && m.doubtful.Load() == 0 {
			require.Zero(t, handled, "message %d was refused and handled", i)
		}
	}
	s.requireWild(t, stats)
}
