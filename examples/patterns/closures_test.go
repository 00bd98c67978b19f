// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package patterns_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/examples/patterns"
)

// Jobs are in the trace of whoever submits them, say how long they waited, and outlive the
// request.
func TestClosuresCarryTheTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := record(t)
		pool := patterns.NewPool(1, 10)
		blocked := make(chan struct{})
		pool.Submit(func() { <-blocked })
		errLost := errors.New("lost")
		shipper := patterns.NewShipper(t.Context(), pool, func(ctx context.Context, o patterns.Order) error {
			assert.Equal(t, o.Item != "untraced", trace.SpanFromContext(ctx).IsRecording())
			assert.NoError(t, ctx.Err(), "the request has ended")
			if o.Item == "a table" {
				return errLost
			}
			return nil
		})
		r.from(t.Context(), "checkout", func(ctx context.Context) {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			shipper.Ship(ctx, patterns.Order{Item: "a table"})
		})
		shipper.Ship(t.Context(), patterns.Order{Item: "untraced"})
		time.Sleep(3 * time.Second) // Of the bubble's clock.
		close(blocked)
		pool.Close()
		require.ErrorIs(t, shipper.Err(), errLost)
		assert.Equal(t, map[string][]string{"checkout": {"ship order"}}, r.below(t))
		span := r.named(t, "ship order")
		assert.InDelta(t, 3, waited(t, span), 1e-9)
		assert.Equal(t, codes.Error, span.Status().Code)
	})
}
