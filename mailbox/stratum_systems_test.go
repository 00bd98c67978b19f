// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
)

// It is the recipient's system that says whether slow handlings are counted: who
// broadcasts, and how, makes no difference.
func TestStratumWhoeverBroadcasts(t *testing.T) {
	for name, test := range map[string]struct {
		senders, members bool // whether their system has a control
		options          []mailbox.SystemOption
		want             int // slow ones counted
	}{
		"the same control":       {true, true, nil, 100},
		"only the members'":      {false, true, nil, 100},
		"only the senders'":      {true, false, nil, 0},
		"with unsampled headers": {false, true, []mailbox.SystemOption{mailbox.WithCarry(envelope.CarryPolicy{Unsampled: true})}, 100},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				rec := record(t)
				system := func(control bool, opts ...mailbox.SystemOption) *mailbox.System {
					if !control {
						return rec.system(opts...)
					}
					sys, _ := controlled(t, rec, sampling.Late{SlowerThan: time.Second, CountSlow: true, PerSecond: sampling.Unlimited})
					return sys
				}
				members := system(test.members)
				senders := system(test.senders, test.options...)
				group := newGroup[job](t, senders, "workers", rarely)
				for range 100 {
					require.NoError(t, group.Join(spawn(t, members, "worker", do, mailbox.WithDedicatedGoroutine())))
				}
				ctx, root := rec.start()
				assert.Zero(t, group.Broadcast(ctx, sleepFor(time.Minute)).Sampled)
				root.End()
				time.Sleep(time.Hour)
				assert.Len(t, rec.all("worker job"), test.want)
				drain(t, members)
				drain(t, senders)
			})
		})
	}
}

// A group may have members of systems with a control and without.
func TestStratumOfSomeMembers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		counting, _ := controlled(t, rec, sampling.Late{SlowerThan: time.Second, CountSlow: true, PerSecond: sampling.Unlimited})
		plain := rec.system()
		group := newGroup[job](t, plain, "workers", rarely)
		for i := range 100 {
			sys := plain
			if i%2 == 0 {
				sys = counting
			}
			require.NoError(t, group.Join(spawn(t, sys, "worker", do, mailbox.WithDedicatedGoroutine())))
		}
		ctx, root := rec.start()
		d := group.Broadcast(ctx, sleepFor(time.Minute))
		root.End()
		time.Sleep(time.Hour)
		assert.Equal(t, 100, d.Delivered)
		assert.Len(t, rec.all("worker job"), 50)
		drain(t, counting)
		drain(t, plain)
	})
}
