// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/stattest"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

// churn changes how many members a group has.
type churn struct {
	group   *remote.Group[string]
	members []mailbox.Ref[string]
	joined  int
}

func (c *churn) to(t testing.TB, size int) {
	t.Helper()
	for ; c.joined < size; c.joined++ {
		require.NoError(t, c.group.Join(c.members[c.joined]))
	}
	for ; c.joined > size; c.joined-- {
		require.True(t, c.group.Leave(c.members[c.joined-1]))
	}
}

// Sizes that are long out of date make estimates less sure, and no more: what the spans stand
// for is on average what the broadcasts have reached, for any seed.
func TestSizesOutOfDateDoNotBias(t *testing.T) {
	const broadcasts, most = 400, 60
	r := newRecorder(t)
	random := stattest.Seeded(t)
	server := natstest.Start(t, natstest.Options{})
	handled := make([]atomic.Int64, broadcasts)
	var markers atomic.Int64
	var nodes []*churn
	for i := range 4 {
		m := r.machine(t, server, fmt.Sprint("n", i))
		n := &churn{group: newGroup(t, m, "sessions", flat(t, 0.1))}
		n.members = join(t, m, n.group, most, func(_ context.Context, text string) error {
			number, err := strconv.Atoi(text)
			switch {
			case err != nil:
				return err
			case number == marker:
				markers.Add(1)
			default:
				handled[number].Add(1)
			}
			return nil
		})
		n.joined = most
		nodes = append(nodes, n)
	}
	for _, n := range nodes {
		eventually(t, func() bool { return n.group.Size() == 4*most })
	}
	ids := make([]trace.TraceID, broadcasts)
	differ := 0
	for i := range ids {
		joined := 0
		for _, n := range nodes {
			size := random.IntN(most)
			if random.IntN(4) == 0 {
				size /= 10
			}
			n.to(t, size)
			joined += size
		}
		var d remote.Delivery
		ids[i], d = r.broadcast(nodes[random.IntN(4)].group, fmt.Sprint(i))
		require.NoError(t, d.Err)
		if d.Size != joined {
			differ++
		}
	}
	assert.Greater(t, differ, broadcasts/2, "else this tests nothing")
	drained(t, nodes, &markers)

	next := 0
	estimate := func(factor float64) func() float64 {
		next = 0
		return func() float64 {
			_, sum := r.weights(ids[next])
			reached := handled[next].Load()
			next++
			return 1000 + factor*sum - float64(reached)
		}
	}
	require.NoError(t, stattest.CheckTotal(1000, broadcasts, estimate(1)))
	require.Error(t, stattest.CheckTotal(1000, broadcasts, estimate(1.3)), "negative control")
	require.Error(t, stattest.CheckTotal(1000, broadcasts, estimate(0.7)), "negative control")
}

// marker is a broadcast that says that a sender has sent all.
const marker = -1

// drained waits until all that was sent is handled. Broadcasts of one sender come in their order,
// so it sends one more from each node.
func drained(t testing.TB, nodes []*churn, markers *atomic.Int64) {
	t.Helper()
	all := 0
	for _, n := range nodes {
		n.to(t, len(n.members))
		all += len(n.members)
	}
	for _, n := range nodes {
		eventually(t, func() bool { return n.group.Size() == all })
	}
	for _, n := range nodes {
		require.NoError(t, n.group.Broadcast(t.Context(), fmt.Sprint(marker)).Err)
	}
	eventually(t, func() bool { return markers.Load() == int64(len(nodes)*all) })
}
