// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

// inFlight is about how many broadcasts a benchmark has on their way. Members have room for more.
const inFlight = 500

// BenchmarkGroup compares a broadcast from a node without members to one member on each of
// three others with the same number of messages by hand: published to three subjects, whose
// subscribers send them to a process each.
func BenchmarkGroup(b *testing.B) {
	for _, nodes := range []int{1, 3} {
		b.Run(fmt.Sprintf("broadcast/nodes=%d", nodes), func(b *testing.B) {
			c := newCluster(b, natstest.Start(b, natstest.Options{}), append([]int{0}, make([]int, nodes)...)...)
			for i := range nodes {
				join(b, c.machines[i+1], c.groups[i+1], 1, c.count)
			}
			c.size = nodes
			c.settle(b)
			play(b, c, nodes, func(ctx context.Context) error { return c.groups[0].Broadcast(ctx, "hello").Err })
		})
		b.Run(fmt.Sprintf("by hand/nodes=%d", nodes), func(b *testing.B) {
			server := natstest.Start(b, natstest.Options{})
			c := &cluster{}
			conn := server.Conn(b)
			for i := range nodes {
				m := newMachine(b, server)
				ref := spawn(b, m, c.count)
				_, err := m.conn.Subscribe(fmt.Sprint("by.hand.", i), func(msg *nats.Msg) {
					_ = ref.Send(context.Background(), string(msg.Data))
				})
				require.NoError(b, err)
				require.NoError(b, m.conn.Flush())
			}
			play(b, c, nodes, func(context.Context) error {
				data := []byte("hello")
				for i := range nodes {
					if err := conn.Publish(fmt.Sprint("by.hand.", i), data); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
}

func (c *cluster) count(context.Context, string) error {
	c.handled.Add(1)
	return nil
}

// play sends again and again, and counts only what was handled.
func play(b *testing.B, c *cluster, nodes int, send func(context.Context) error) {
	b.Helper()
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		require.NoError(b, send(b.Context()))
		if n++; n%inFlight == 0 {
			await := int64((n - inFlight/2) * nodes)
			eventually(b, func() bool { return c.handled.Load() >= await })
		}
	}
	eventually(b, func() bool { return c.handled.Load() == int64(n*nodes) })
}
