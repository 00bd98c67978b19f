// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/sampling/fanout"
)

// rawPair is raw with channels of two words, a message and another pointer, as in an envelope.
const rawPair = "raw-two-words"

// hubRow measures broadcasts over a channel and a goroutine for each client, for each
// client. The next broadcast begins when all clients have handled the one before.
func hubRow(clients int, ratios ...ratio) row {
	return row{
		name:  fmt.Sprintf("hub-%d", clients),
		about: fmt.Sprintf("one message over the channels of %d clients, for each of them", clients),
		size:  clients, anew: true, ratios: ratios,
		variants: append(fiveWays(rawFanout, naiveFanout, ourHub), variant{rawPair, rawPairFanout}),
	}
}

func ourHub(clients int, tr tracing) (*contender, error) {
	l, otel := newLatch(clients), newTelemetry(tr)
	chat, err := fanout.New("chat", fanout.WithTracerProvider(otel.provider))
	if err != nil {
		return nil, err
	}
	var wg sync.WaitGroup
	boxes := make([]chan envelope.Envelope[*event], clients)
	for i := range boxes {
		box, count := make(chan envelope.Envelope[*event], recipientCapacity), l.of(i)
		boxes[i] = box
		wg.Go(func() {
			for range envelope.Receive(context.Background(), box, "show", envelope.WithTracerProvider(otel.provider)) {
				count.take()
			}
		})
	}
	c := &contender{
		run: func(times int) error {
			for range times {
				e := &event{text: "hello"}
				b := chat.Begin(otel.ctx, clients)
				for _, box := range boxes {
					box <- envelope.New(e, b.Next())
				}
				if d := b.End(); d.Delivered != clients {
					return fmt.Errorf("%w: %d of %d delivered", errEffect, d.Delivered, clients)
				}
				l.wait()
			}
			return nil
		},
		handled: l.handled,
		tear:    closing(boxes, &wg),
		traces:  otel,
	}
	if tr == sampled {
		c.spans = broadcastSpans(clients)
	}
	return c, nil
}
