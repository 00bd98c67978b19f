// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package durable_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote/durable"
)

// Whatever the mailbox does when it is full, nothing is lost, and no more is held than is
// configured.
func TestFullMailbox(t *testing.T) {
	for name, overflow := range map[string]mailbox.Overflow{
		"wait": mailbox.Wait, "refuse": mailbox.Refuse, "drop oldest": mailbox.DropOldest,
	} {
		t.Run(name, func(t *testing.T) {
			_, js := start(t)
			conf := config()
			conf.MaxHeld = 8
			conf.MaxDeliver = 1 // No delivery that was dropped or refused is an attempt.
			q := newQueue(t, js, conf)
			const messages = 40
			for n := range messages {
				publish(t, q, n)
			}
			var got seen
			goOn := make(chan struct{})
			c, _ := consume(t, q, newSystem(t), func(_ context.Context, d durable.Delivery[order]) error {
				<-goOn
				assert.LessOrEqual(t, q.Stats().Held, uint64(8))
				got.add(d)
				return nil
			}, mailbox.WithCapacity(1), mailbox.WithOverflow(overflow))
			eventually(t, func() bool { return q.Stats().Received >= 8 })
			close(goOn)
			eventually(t, func() bool { return settled(t, js) })
			numbers := map[int]int{}
			for _, d := range got.list() {
				numbers[d.Message.N]++
				assert.Equal(t, 1, d.Attempt)
			}
			assert.Len(t, numbers, messages)
			assert.Equal(t, messages, got.len())
			assert.Empty(t, deadLetters(t, js))
			require.NoError(t, c.Close(t.Context()))
			s := q.Stats()
			requireBalance(t, s)
			if overflow != mailbox.DropOldest {
				assert.Equal(t, uint64(messages), s.Received, "nothing was handed back")
			}
		})
	}
}

// Two processes share the messages of a consumer.
func TestConsumersShare(t *testing.T) {
	_, js := start(t)
	conf := config()
	conf.MaxHeld = 4
	q := newQueue(t, js, conf)
	const messages = 100
	for n := range messages {
		publish(t, q, n)
	}
	var got [2]seen
	sys := newSystem(t)
	for i := range got {
		_, _ = consume(t, q, sys, func(_ context.Context, d durable.Delivery[order]) error {
			got[i].add(d)
			if got[i].len() == 1 { // Each waits until the other has one.
				eventually(t, func() bool { return got[1-i].len() > 0 })
			}
			return nil
		})
	}
	eventually(t, func() bool { return settled(t, js) })
	assert.Equal(t, messages, got[0].len()+got[1].len())
}
