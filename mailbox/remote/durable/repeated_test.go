// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package durable_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox/remote/durable"
)

// Deliveries of a message that is held already are no attempts: the server makes them if it has
// heard nothing for AckWait, because a link hangs. Here it is told to.
func TestRepeatedDeliveriesAreNoAttempts(t *testing.T) {
	s, js := start(t)
	conf := config()
	conf.MaxDeliver = 2
	q := newQueue(t, js, conf)
	publish(t, q, 1)
	operator := s.Conn(t)
	signs := make(chan *nats.Msg, 100)
	_, err := operator.ChanSubscribe("$JS.ACK.ORDERS.shipping.>", signs) // Of life, and acknowledgements.
	require.NoError(t, err)
	require.NoError(t, operator.Flush())

	goOn := make(chan struct{})
	var got seen
	var tries atomic.Int64
	consume(t, q, newSystem(t), func(_ context.Context, d durable.Delivery[order]) error {
		got.add(d)
		<-goOn
		if tries.Add(1) == 1 {
			return errBroken
		}
		return nil
	})
	for n := range uint64(3) {
		sign := <-signs
		for string(sign.Data) != "+WPI" { // It is what this test has said.
			sign = <-signs
		}
		require.NoError(t, operator.Publish(sign.Subject, []byte("-NAK")))
		eventually(t, func() bool { return q.Stats().Repeated > n })
	}
	close(goOn)
	eventually(t, func() bool { return q.Stats().Held == 0 && settled(t, js) })
	require.Equal(t, 2, got.len())
	assert.Equal(t, []int{1, 2}, []int{got.list()[0].Attempt, got.list()[1].Attempt})
	assert.Empty(t, deadLetters(t, js))
	requireBalance(t, q.Stats())
}

// The server may deliver a message again as soon as it is told to. If the consumer took that for
// a repetition, nobody would handle it before the end of AckWait.
func TestAMessageThatComesAgainAtOnce(t *testing.T) {
	assert.True(t, durable.Again(config(), &nats.Msg{Reply: "first"}, &nats.Msg{Reply: "second"}))
}
