// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package patterns_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/examples/patterns"
)

func TestShipUntil(t *testing.T) {
	const left = 5
	for name, tt := range map[string]struct {
		closed  bool
		takes   time.Duration
		grace   time.Duration
		shipped int
		err     error
	}{
		"all that is left":       {takes: time.Second, grace: time.Minute, shipped: left},
		"closed after the end":   {closed: true, takes: time.Second, grace: time.Minute, shipped: left},
		"no longer than allowed": {takes: 2 * time.Second, grace: 5 * time.Second, shipped: 4, err: context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := record(t)
				queue := make(orders, left)
				r.from(t.Context(), "checkout", func(ctx context.Context) {
					for range left {
						queue <- envelope.Wrap(ctx, patterns.Order{Item: "a lamp"})
					}
				})
				if tt.closed {
					close(queue)
				}
				ctx, cancel := context.WithCancel(t.Context())
				shipped := 0
				err := patterns.ShipUntil(ctx, queue, tt.grace, func(ctx context.Context, _ patterns.Order) error {
					if shipped > 0 {
						require.NoError(t, ctx.Err(), "what is left has a context that lives")
					}
					shipped++
					time.Sleep(tt.takes) // Of the bubble's clock.
					cancel()             // The service is told to end.
					return nil
				})
				require.ErrorIs(t, err, tt.err)
				assert.Equal(t, tt.shipped, shipped)
				assert.Len(t, queue, left-tt.shipped, "the rest stays in the channel")
				assert.Len(t, r.below(t)["checkout"], tt.shipped, "what is left keeps its trace")
			})
		})
	}
}

func TestShipUntilClosed(t *testing.T) {
	queue := make(orders, 1)
	queue <- envelope.Bare(patterns.Order{})
	close(queue)
	shipped := 0
	require.NoError(t, patterns.ShipUntil(t.Context(), queue, 0, func(context.Context, patterns.Order) error {
		shipped++
		return nil
	}))
	assert.Equal(t, 1, shipped)
}
