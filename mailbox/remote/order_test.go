// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"context"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

// A call keeps its place among the messages of its sender, which need not wait for the answer:
// here a process hands on the calls that it gets. So it is where the mailbox is full.
func TestOrderOfCallsThatNobodyWaitsFor(t *testing.T) {
	for name, capacity := range map[string]int{"room": 1024, "full": 1} {
		t.Run(name, func(t *testing.T) {
			server := natstest.Start(t, natstest.Options{})
			here, there := newMachine(t, server), newMachine(t, server)
			const calls = 300
			got := make(chan string, 2*calls)
			ref := spawn(t, there, func(_ context.Context, m orderMsg) error {
				switch m := m.(type) {
				case placeOrder:
					got <- m.Item
				case countItems:
					got <- m.Prefix
					m.reply.Answer(1)
				}
				return nil
			}, mailbox.WithCapacity(capacity))
			serveRef(t, there, "orders", ref, orders())
			proxy := refTo(t, here, "orders", orders())
			number := 0
			front, err := mailbox.Spawn(here.sys, "front", func(ctx context.Context, m orderMsg) error {
				call := m.(countItems)
				call.Prefix = strconv.Itoa(number)
				if err := proxy.Send(ctx, call); err != nil {
					return err
				}
				number += 2
				return proxy.Send(ctx, placeOrder{strconv.Itoa(number - 1)})
			})
			require.NoError(t, err)
			answered := make(chan error, calls)
			for range calls {
				go func() {
					_, err := mailbox.Call(t.Context(), front, func(r mailbox.Reply[int]) orderMsg { return countItems{reply: r} })
					answered <- err
				}()
			}
			for i := range 2 * calls {
				require.Equal(t, strconv.Itoa(i), await(t, got))
			}
			for range calls {
				assert.NoError(t, await(t, answered))
			}
		})
	}
}
