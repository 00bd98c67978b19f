// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package patterns

import (
	"context"

	"go.opentelemetry.io/otel/propagation"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/propagate"
)

// Accept hands an order that has arrived from a broker to a goroutine. Its trace is in header.
func Accept(
	ctx context.Context, propagator propagation.TextMapPropagator,
	header map[string][]string, order Order, orders chan<- envelope.Envelope[Order],
) error {
	// channels: consumer
	ctx = propagator.Extract(ctx, propagate.MetadataCarrier(header)) // the Header of a nats.Msg
	err := envelope.Send(ctx, orders, order)
	// channels: end
	return err
}
