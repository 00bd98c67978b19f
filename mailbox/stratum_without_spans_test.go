// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
)

// withoutSpans makes a system whose kinds make no spans but late ones.
func withoutSpans(t *testing.T, rec *recorder, late sampling.Late) *mailbox.System {
	t.Helper()
	c := sampling.Config{}
	c.Default.NoSpans = true
	c.Default.Late = late
	control, err := sampling.NewControl(c)
	require.NoError(t, err)
	return rec.system(mailbox.WithControl(control))
}

// A stratum of a kind without spans counts its slow ones all the same: those that
// the choice fell on, those that it skipped, and those that nobody chose.
func TestStratumOfAKindWithoutSpans(t *testing.T) {
	for _, size := range []int{1, 2, 10, 100} {
		for _, linked := range []bool{false, true} {
			t.Run(fmt.Sprint(size, " linked ", linked), func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					rec := record(t)
					sys := withoutSpans(t, rec, sampling.Late{SlowerThan: time.Second, CountSlow: true, PerSecond: sampling.Unlimited})
					var opts []mailbox.GroupOption
					if linked {
						opts = append(opts, mailbox.WithLinkedRoots())
					}
					group := newGroup[job](t, sys, "workers", opts...)
					for range size {
						require.NoError(t, group.Join(spawn(t, sys, "worker", do, mailbox.WithDedicatedGoroutine())))
					}
					const casts = 20
					for range casts {
						ctx, root := rec.start()
						group.Broadcast(ctx, sleepFor(2*time.Second))
						root.End()
						time.Sleep(time.Minute)
						ctx, root = rec.start()
						group.Broadcast(ctx, nothing) // Quick ones leave none.
						root.End()
						time.Sleep(time.Minute)
					}
					spans := rec.all("worker job")
					assert.Len(t, spans, casts*size)
					var total float64
					for _, span := range spans {
						attrs := attributes(t, span)
						assert.Equal(t, "slow", attrs[keys.LateReason])
						total += weightOf(t, span)
					}
					assert.InDelta(t, casts*size, total, 0, "exactly")
					drain(t, sys)
				})
			})
		}
	}
}

// Below a chosen relay each counts for what the relay does, and so do those that
// the relay sends to one by one.
func TestStratumWithoutSpansBelowAFanout(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const relays, traced, sessions = 8, 2, 10
		rec := record(t)
		sys := withoutSpans(t, rec, sampling.Late{SlowerThan: time.Second, CountSlow: true, PerSecond: sampling.Unlimited})
		half := sampling.GroupConfig{Curve: sampling.Always(), MaxSpans: sessions / 2}
		outer := newGroup[job](t, sys, "relays", mailbox.WithSampling(
			sampling.GroupConfig{Curve: sampling.Always(), MaxSpans: traced}))
		for range relays {
			inner := groupOf(t, sys, "session", sessions, half, mailbox.WithDedicatedGoroutine())
			alone := spawn(t, sys, "log", do, mailbox.WithDedicatedGoroutine())
			require.NoError(t, outer.Join(spawn(t, sys, "relay", func(ctx context.Context, j job) error {
				inner.Broadcast(ctx, j)
				return alone.Send(ctx, j)
			})))
		}
		ctx, root := rec.start()
		outer.Broadcast(ctx, sleepFor(time.Minute))
		root.End()
		time.Sleep(time.Hour)
		for name, count := range map[string]int{"session job": traced * sessions, "log job": traced} {
			spans := rec.all(name)
			require.Len(t, spans, count)
			for _, span := range spans {
				assert.InDelta(t, relays/traced, weightOf(t, span), 0)
			}
		}
		drain(t, sys)
	})
}

// What fails in a kind without spans is an exemplar, chosen or not, also if it is
// never handled.
func TestExemplarsOfAKindWithoutSpans(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		sys := withoutSpans(t, rec, sampling.Late{Failures: true, PerSecond: sampling.Unlimited})
		ref := spawn(t, sys, "worker", do)
		ctx, root := rec.start()
		require.NoError(t, ref.Send(ctx, fails))
		require.NoError(t, ref.Send(ctx, nothing))
		settle()
		ref.Kill()
		settle()
		require.Error(t, ref.Send(ctx, nothing))
		root.End()
		settle()
		spans := rec.all("worker job")
		require.Len(t, spans, 2)
		for i, reason := range []string{"error", "refused_stopped"} {
			attrs := attributes(t, spans[i])
			assert.Equal(t, reason, attrs[keys.LateReason])
			assert.InDelta(t, 0, attrs[keys.FanoutWeight], 0)
			requireChild(t, rec.one("root").SpanContext, spans[i])
		}
		drain(t, sys)
	})
}
