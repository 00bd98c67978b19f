// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package durable_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote/durable"
)

// What docs/nodes.md shows of durable delivery.

type Order struct{ Item string }

func newOrders(ctx context.Context, js jetstream.JetStream) (*durable.Queue[Order], error) {
	// nodes: queue
	for name, subject := range map[string]string{"ORDERS": "orders", "DEAD": "dead.>"} {
		_, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: name, Subjects: []string{subject}})
		if err != nil {
			return nil, err
		}
	}
	return durable.New(js, durable.Config[Order]{
		Stream: "ORDERS", Subject: "orders", Consumer: "shipping", DeadLetter: "dead.orders",
	})
	// nodes: end
}

func placeOrder(ctx context.Context, orders *durable.Queue[Order]) error {
	// nodes: publish
	_, err := orders.Publish(ctx, Order{"a lamp"}, durable.WithID("order-17")) // stored when it returns
	// nodes: end
	return err
}

func shipOrders(
	ctx, shutdown context.Context, sys *mailbox.System, orders *durable.Queue[Order], ship func(context.Context, Order) error,
) error {
	// nodes: consume
	ref, err := mailbox.Spawn(sys, "shipping", durable.Handler(
		func(ctx context.Context, d durable.Delivery[Order]) error {
			return ship(ctx, d.Message) // d.Attempt and d.Redelivered say whether it may have happened before
		}))
	if err != nil {
		return err
	}
	consumer, err := orders.Consume(ctx, ref)
	if err != nil {
		return err
	}
	select {
	case <-consumer.Done(): // The process has ended, the connection was closed, or the consumer was deleted.
		return consumer.Err()
	case <-ctx.Done():
		return consumer.Close(shutdown) // What was taken is handled or handed back.
	}
	// nodes: end
}

func TestPage(t *testing.T) {
	_, js := start(t)
	orders, err := newOrders(t.Context(), js)
	require.NoError(t, err)
	require.NoError(t, placeOrder(t.Context(), orders))
	require.NoError(t, placeOrder(t.Context(), orders), "stored once")

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var shipped []string
	err = shipOrders(ctx, t.Context(), newSystem(t), orders, func(_ context.Context, o Order) error {
		shipped = append(shipped, o.Item)
		if len(shipped) == 1 {
			return errors.New("the van is full")
		}
		time.AfterFunc(10*time.Millisecond, cancel)
		return nil
	})
	require.NoError(t, err)
	assert.Equal(t, []string{"a lamp", "a lamp"}, shipped)
}
