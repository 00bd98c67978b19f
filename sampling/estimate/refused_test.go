// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/planning"
	"github.com/waybill-go/waybill/sampling/estimate"
)

// refusing plays a broadcast to 1,000 recipients, of which some refuse it. Its span says
// how many, unless that is hidden.
func refusing(refused int, hide bool) play {
	return func(t testing.TB, f *forge) {
		plan := planning.Planner{Config: limitedTo(60), Random: f.random}.Plan(1000)
		cast, fanout := f.broadcast("broadcast", f.root(t, ""), fanout.Fanout{}, plan), plan.Recipient(0)
		made, _ := f.spans[len(f.spans)-1].(*madeSpan)
		if !hide {
			made.attrs = append(made.attrs, keys.FanoutRefused.Int(refused))
		}
		for _, i := range plan.Sampled {
			if i < refused {
				f.recipient("session", cast, fanout, 1, keys.LateReason.String("refused_full"))
			} else {
				f.recipient("session", cast, fanout, 1)
			}
		}
	}
}

// How many were handled is known exactly if nobody refused. Else it is left to chance, even
// where none of those that were chosen refused.
func TestCountsOfHandledAndRefused(t *testing.T) {
	t.Parallel() // It takes seconds, and all its chance is its own.
	judged := func(t *testing.T, number int, hide bool) (handled, refused outcome) {
		t.Helper()
		random := runs(t, 71, refusing(number, hide))
		var d estimate.Deliveries
		handled = judge(t, 400, func() *estimate.Sample {
			d = random().Named("session")
			return d.Handled
		}, countOf(1000-number))["count"]
		refused = judge(t, 400, func() *estimate.Sample { return random().Named("session").Refused }, countOf(number))["count"]
		return handled, refused
	}
	for _, number := range []int{3, 20, 200} {
		handled, refused := judged(t, number, false)
		require.NoError(t, handled.unbiased())
		require.NoError(t, handled.covers(0.9, 1), number)
		require.NoError(t, refused.covers(0.9, 1), number)
		if number == 200 { // Else there often is none.
			require.NoError(t, refused.honest(0.85, 1.15))
			require.NoError(t, refused.covers(0.9, 0.99))
		}
	}
	none, _ := judged(t, 0, false)
	require.NoError(t, none.covers(1, 1))
	require.InDelta(t, 1, none.ratio, 0)
	// Negative control: the broadcast does not say that some refused.
	handled, _ := judged(t, 3, true)
	require.Error(t, handled.covers(0.9, 1))
}
