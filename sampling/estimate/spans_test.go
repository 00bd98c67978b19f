// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/estimate"
)

// Spans of slow handlings as package mailbox makes them.
func TestLateSpansOfMailboxes(t *testing.T) {
	const sessions, slow, casts, chosen = 400, 25, 6, 10 // The default curve's 1,000 gives as many.
	const took = time.Second
	for _, test := range []struct {
		name         string
		late         sampling.Late
		fewest, most int // spans that count
		uncounted    int // at the most
	}{
		{"no late spans", sampling.Late{}, casts * chosen, casts * chosen, 0},
		{"uncounted", sampling.Late{SlowerThan: took, PerSecond: sampling.Unlimited}, casts * chosen, casts * chosen, casts * slow},
		{"stratum", sampling.Late{SlowerThan: took, CountSlow: true, PerSecond: sampling.Unlimited}, casts * slow, casts * (slow + chosen), 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newProgram(t, test.late)
				g := p.group("session", sessions, func(_ context.Context, i int) error {
					time.Sleep(time.Millisecond) // Of the bubble's time.
					if i < slow {
						time.Sleep(took)
					}
					return nil
				})
				for range casts {
					p.trace(func(ctx context.Context) { g.Broadcast(ctx, event{}) })
					time.Sleep(2 * took)
				}
				spans := p.estimates()
				s := spans.Named("session event").Handled
				tally := s.Tally()
				assert.GreaterOrEqual(t, tally.Counted, test.fewest)
				assert.LessOrEqual(t, tally.Counted, test.most)
				assert.LessOrEqual(t, tally.Uncounted, test.uncounted)
				if !test.late.CountSlow {
					exactly(t, casts*sessions, s.Count())
					return
				}
				exactly(t, casts*slow, onlySlow(spans).Count())
				e := s.Count()
				assert.InDelta(t, casts*sessions, e.Value, 3*(e.High-e.Value), "six standard errors, about: %v", e)
				assert.InDelta(t, 1.001, s.Quantile(0.99).High, 1e-9, "the whole tail is known")
				assert.InDelta(t, 1.001, s.Quantile(0.99).Value, 1e-9)
			})
		})
	}
}

// onlySlow selects the handlings that are marked as slow ones.
func onlySlow(spans *estimate.Spans) *estimate.Sample {
	return spans.Select(func(s estimate.Span) (float64, bool) {
		return 1, slices.Contains(s.Attributes(), keys.LateReason.String("slow"))
	}).Handled
}
