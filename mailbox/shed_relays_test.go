// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
)

// A relay's broadcast that sheds says how many messages nothing stands for: its
// size, times what the relay stands for.
func TestShedBroadcastsOfRelaysSayWhatIsMissing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const relays, traced, sessions = 8, 2, 100
		rec := record(t)
		c := sampling.Config{}
		limited := sampling.KindConfig{}
		limited.MaxSpansPerSecond = 1
		c.Kinds = map[string]sampling.KindConfig{"session": limited}
		control, err := sampling.NewControl(c)
		require.NoError(t, err)
		sys := rec.system(mailbox.WithControl(control))
		all := sampling.GroupConfig{Curve: sampling.Always()}
		outer := newGroup[job](t, sys, "relays", mailbox.WithSampling(
			sampling.GroupConfig{Curve: sampling.Always(), MaxSpans: traced}))
		for range relays {
			inner := groupOf(t, sys, "session", sessions, all)
			require.NoError(t, outer.Join(spawn(t, sys, "relay", func(ctx context.Context, j job) error {
				inner.Broadcast(ctx, j)
				return nil
			})))
		}
		ctx, root := rec.start()
		outer.Broadcast(ctx, nothing)
		root.End()
		settle()

		inners := rec.all("broadcast sessions")
		require.Len(t, inners, traced)
		var missing, kept float64
		shed := 0
		for _, span := range inners {
			attrs := attributes(t, span)
			size, ok := attrs[keys.FanoutSize].(int64)
			require.True(t, ok)
			if attrs[keys.FanoutShed] == true {
				shed++
				missing += weightOf(t, span) * float64(size)
			}
		}
		require.NotZero(t, shed, "one of them, as a check")
		for _, span := range rec.all("session job") {
			kept += weightOf(t, span)
		}
		assert.InDelta(t, relays*sessions, missing+kept, 1e-6)
		drain(t, sys)
	})
}
