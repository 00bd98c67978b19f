// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

// shop handles orders, and answers how many it has.
func shop() mailbox.Handler[orderMsg] {
	var items []string
	return func(_ context.Context, m orderMsg) error {
		switch m := m.(type) {
		case placeOrder:
			items = append(items, m.Item)
		case countItems:
			n := 0
			for _, item := range items {
				if strings.HasPrefix(item, m.Prefix) {
					n++
				}
			}
			m.reply.Answer(n)
		}
		return nil
	}
}

func count(ctx context.Context, ref mailbox.Ref[orderMsg], prefix string) (int, error) {
	return mailbox.Call(ctx, ref, func(r mailbox.Reply[int]) orderMsg { return countItems{prefix, r} })
}

// A call sees what the same sender has sent before.
func TestSendAndCall(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	here, there := newMachine(t, server), newMachine(t, server)
	serve(t, there, "orders", orders(), shop())
	ref := refTo(t, here, "orders", orders())
	for i := range 100 {
		require.NoError(t, ref.Send(t.Context(), placeOrder{"lamp " + strconv.Itoa(i)}))
		n, err := count(t.Context(), ref, "lamp")
		require.NoError(t, err)
		assert.Equal(t, i+1, n)
	}
	n, err := count(t.Context(), ref, "chair")
	require.NoError(t, err)
	assert.Zero(t, n)
}

func TestNobodyServes(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	ref := refTo(t, newMachine(t, server), "orders", orders())
	_, err := count(t.Context(), ref, "")
	require.ErrorIs(t, err, mailbox.ErrStopped)
	require.ErrorIs(t, err, nats.ErrNoResponders)
}

// Messages of one sender arrive in the order in which they were sent, and each once, however
// many senders there are, and with calls among them.
func TestOrder(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	there := newMachine(t, server)
	const senders, messages = 4, 2000
	var last [senders]int
	serve(t, there, "asks", asks(), func(_ context.Context, a ask) error {
		sender, number := a.Number/messages, a.Number%messages
		if number != last[sender] {
			t.Errorf("sender %d: message %d after %d", sender, number, last[sender]-1)
		}
		last[sender] = number + 1
		a.reply.Answer(strconv.Itoa(number))
		return nil
	})
	machines := [2]*machine{newMachine(t, server), newMachine(t, server)}
	var done sync.WaitGroup
	for sender := range senders {
		ref := refTo(t, machines[sender%2], "asks", asks(), mailbox.WithCapacity(8))
		done.Go(func() {
			for i := range messages {
				if i%100 < 99 {
					assert.NoError(t, ref.Send(t.Context(), ask{Number: sender*messages + i}))
					continue
				}
				answer, err := asking(t.Context(), ref, sender*messages+i)
				assert.NoError(t, err)
				assert.Equal(t, strconv.Itoa(i), answer)
			}
		})
	}
	done.Wait()
	eventually(t, func() bool {
		stats := there.node.Stats()
		return stats.Delivered+stats.Served.Answered == senders*messages
	})
}
