// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package patterns_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/examples/patterns"
)

func TestServe(t *testing.T) {
	r := record(t)
	orders, refunds := make(orders), make(chan envelope.Envelope[patterns.Refund])
	var did log
	done := make(chan error)
	go func() { done <- patterns.Serve(t.Context(), orders, refunds, did.ship, did.pay) }()

	r.from(t.Context(), "checkout", func(ctx context.Context) {
		assert.NoError(t, envelope.Send(ctx, orders, patterns.Order{Item: "a lamp"}))
	})
	r.from(t.Context(), "complaint", func(ctx context.Context) {
		assert.NoError(t, envelope.Send(ctx, refunds, patterns.Refund{Item: "a table"}))
	})
	close(refunds)
	orders <- envelope.Bare(patterns.Order{Item: "a chair"})
	close(orders)
	require.NoError(t, <-done)

	did.has(t, "ship a lamp, traced", "pay a table, traced", "ship a chair")
	assert.Equal(t, map[string][]string{"checkout": {"ship order"}, "complaint": {"pay refund"}}, r.below(t))
}

func TestServeEnds(t *testing.T) {
	r := record(t)
	want := errors.New("out of stock")
	orders := make(orders, 1)
	r.from(t.Context(), "checkout", func(ctx context.Context) {
		orders <- envelope.Wrap(ctx, patterns.Order{})
	})
	failing := func(context.Context, patterns.Order) error { return want }
	unused := func(context.Context, patterns.Refund) error { return nil }
	assert.Same(t, want, patterns.Serve(t.Context(), orders, nil, failing, unused))
	assert.Equal(t, codes.Error, r.named(t, "ship order").Status().Code)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, patterns.Serve(ctx, orders, nil, failing, unused), context.Canceled)
}

// mixed is a closed channel with bare, wrapped and foreign values.
func mixed(t *testing.T, r recording) chan any {
	t.Helper()
	inbox := make(chan any, 4)
	r.from(t.Context(), "checkout", func(ctx context.Context) {
		patterns.SendAny(ctx, inbox, patterns.Order{Item: "a lamp"})
	})
	inbox <- patterns.Order{Item: "a chair"}
	r.from(t.Context(), "complaint", func(ctx context.Context) {
		inbox <- envelope.Wrap(ctx, patterns.Refund{Item: "a table"})
	})
	inbox <- "a letter"
	close(inbox)
	return inbox
}

func TestHandleOrders(t *testing.T) {
	r := record(t)
	var did log
	var others []any
	inbox := mixed(t, r)
	require.NoError(t, patterns.HandleOrders(t.Context(), inbox, did.ship, func(v any) { others = append(others, v) }))

	did.has(t, "ship a lamp, traced", "ship a chair")
	require.Len(t, others, 2, "nothing is lost")
	refund, err := envelope.From[patterns.Refund](others[0])
	require.NoError(t, err)
	assert.True(t, refund.Header().Sampled(), "it is as it was")
	assert.Equal(t, "a letter", others[1])
	assert.Equal(t, map[string][]string{"checkout": {"ship order"}}, r.below(t))
}

func TestHandleAny(t *testing.T) {
	r := record(t)
	var did log
	err := patterns.HandleAny(t.Context(), mixed(t, r), did.ship, did.pay)
	assert.EqualError(t, err, "nobody handles a string")
	did.has(t, "ship a lamp, traced", "ship a chair", "pay a table, traced")
	assert.Equal(t, map[string][]string{"checkout": {"handle message"}, "complaint": {"handle message"}}, r.below(t))
}

type opened struct{ door string }

func (o opened) Name() string { return "opened the " + o.door }

func TestConsume(t *testing.T) {
	r := record(t)
	events := make(chan patterns.Event, 3)
	r.from(t.Context(), "knock", func(ctx context.Context) { patterns.Publish(ctx, events, opened{"gate"}) })
	patterns.Publish(t.Context(), events, opened{"hatch"})
	events <- opened{"window"}
	close(events)

	var did log
	require.NoError(t, patterns.Consume(t.Context(), events, func(ctx context.Context, e patterns.Event) error {
		did.add(ctx, fmt.Sprintf("%T %s", e, e.Name()))
		return nil
	}))
	did.has(t, "patterns_test.opened opened the gate, traced",
		"patterns_test.opened opened the hatch", "patterns_test.opened opened the window")
	assert.Equal(t, map[string][]string{"knock": {"handle event"}}, r.below(t))
}

func TestDeliverParcels(t *testing.T) {
	r := record(t)
	parcels := make(chan patterns.Parcel, 2)
	r.from(t.Context(), "post", func(ctx context.Context) { patterns.SendParcel(ctx, parcels, "a lamp") })
	parcels <- patterns.Parcel{Item: "a chair"} // By a sender that knows nothing of headers.
	close(parcels)

	var did log
	require.NoError(t, patterns.DeliverParcels(t.Context(), parcels, func(ctx context.Context, p patterns.Parcel) error {
		did.add(ctx, p.Item)
		return nil
	}))
	did.has(t, "a lamp, traced", "a chair")
	assert.Equal(t, map[string][]string{"post": {"deliver parcel"}}, r.below(t))
}
