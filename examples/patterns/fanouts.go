// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package patterns

import (
	"context"
	"iter"
	"sync"

	"go.opentelemetry.io/otel/propagation"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/propagate"
	"github.com/waybill-go/waybill/sampling/fanout"
)

// Client is one that gets every order.
type Client struct {
	Send chan envelope.Envelope[Order] // closed when the client is dropped
}

// Clients are those of a hub.
type Clients map[*Client]bool

// Pass broadcasts an order that came through the hub's own channel.
func (clients Clients) Pass(
	ctx context.Context, feed *fanout.Fanout, received envelope.Envelope[Order],
) fanout.Delivery {
	// channels: received
	ctx, order := received.Unwrap(ctx) // in a loop that selects among the hub's channels
	// channels: end
	return clients.Broadcast(ctx, feed, order)
}

// Broadcast sends an order to all clients, and drops those that have no room.
func (clients Clients) Broadcast(ctx context.Context, feed *fanout.Fanout, order Order) fanout.Delivery {
	// channels: hub
	b := feed.Begin(ctx, len(clients))
	for client := range clients {
		select {
		case client.Send <- envelope.New(order, b.Next()):
		default: // It cannot keep up, so it is dropped.
			b.Refuse(fanout.Full)
			delete(clients, client)
			close(client.Send)
		}
	}
	delivery := b.End()
	// channels: end
	return delivery
}

// Notify sends an order to the channels of all watchers, each of which needs only the latest
// orders. It returns the watchers that have lost one.
func Notify(
	ctx context.Context, feed *fanout.Fanout, watchers []chan envelope.Envelope[Order], order Order,
) []int {
	// channels: send
	delivery, lost := fanout.Send(ctx, feed, watchers, order, fanout.DropOldest)
	// channels: end
	_ = delivery
	return lost
}

// BroadcastSharded sends an order to clients that are divided among several goroutines.
func BroadcastSharded(ctx context.Context, feed *fanout.Fanout, shards [][]*Client, order Order) {
	total := 0
	for _, clients := range shards {
		total += len(clients)
	}
	var sending sync.WaitGroup
	// channels: part
	b := feed.Begin(ctx, total)
	for _, clients := range shards {
		part := b.Part(len(clients))
		sending.Go(func() {
			defer part.End()
			for _, client := range clients {
				select {
				case client.Send <- envelope.New(order, part.Next()):
				default:
					part.Refuse(fanout.Full)
				}
			}
		})
	}
	b.End() // The span ends when all parts have ended too.
	// channels: end
	sending.Wait()
}

// BroadcastUnknown sends an order to clients that nobody has counted. about says how many
// there were the last time.
func BroadcastUnknown(
	ctx context.Context, feed *fanout.Fanout, clients iter.Seq[*Client], about int, order Order,
) int {
	// channels: unknown
	b := feed.BeginUnknown(ctx, about)
	for client := range clients {
		client.Send <- envelope.New(order, b.Next())
	}
	about = b.End().Size // for the next time
	// channels: end
	return about
}

// Relay passes orders on to clients of its own.
type Relay struct {
	Orders  chan envelope.Envelope[Order]
	Clients Clients
}

// BroadcastRelays sends an order to relays. sizes says how many clients each of them has.
func BroadcastRelays(ctx context.Context, feed *fanout.Fanout, relays []*Relay, sizes []int, order Order) {
	// channels: relays
	b := feed.BeginRelays(ctx, sizes) // how many clients each relay has
	for _, relay := range relays {
		relay.Orders <- envelope.New(order, b.Next())
	}
	b.End()
	// channels: end
}

// Run passes orders on until the relay's channel is closed.
func (r *Relay) Run(ctx context.Context, feed *fanout.Fanout) {
	// channels: relay
	for ctx, order := range envelope.Receive(ctx, r.Orders, "relay order") {
		r.Clients.Broadcast(ctx, feed, order)
	}
	// channels: end
}

// Broker publishes messages with headers, as NATS does.
type Broker interface {
	// Publish publishes data with a header.
	Publish(subject string, header map[string][]string, data []byte) error
}

// PublishAll publishes data under many subjects.
func PublishAll(
	ctx context.Context, feed *fanout.Fanout, broker Broker, propagator propagation.TextMapPropagator,
	subjects []string, data []byte,
) fanout.Delivery {
	// channels: subjects
	b := feed.Begin(ctx, len(subjects))
	for _, subject := range subjects {
		header := make(map[string][]string) // the Header of a nats.Msg
		propagator.Inject(b.NextContext(), propagate.MetadataCarrier(header))
		if err := broker.Publish(subject, header, data); err != nil {
			b.Refuse("unpublished")
		}
	}
	delivery := b.End()
	// channels: end
	return delivery
}
