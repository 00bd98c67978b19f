// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package patterns

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
)

// Maintain refreshes prices and says that it is alive, at each tick, until ctx ends.
func Maintain(
	ctx context.Context, tracer trace.Tracer, minutes, seconds <-chan time.Time,
	fetch func(context.Context), beat func(context.Context),
) {
	// channels: ticker
	refresh := func() {
		ctx, span := tracer.Start(ctx, "refresh prices", trace.WithNewRoot()) // A trace for each tick.
		defer span.End()
		fetch(ctx)
	}
	for {
		select {
		case <-minutes:
			refresh()
		case <-seconds:
			beat(envelope.Untraced(ctx)) // No trace.
		case <-ctx.Done():
			return
		}
	}
	// channels: end
}
