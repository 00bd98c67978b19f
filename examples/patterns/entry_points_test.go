// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package patterns_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/examples/patterns"
)

func TestShipAll(t *testing.T) {
	r := record(t)
	queue := make(orders, 3)
	unsampled := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}})
	queue <- envelope.Wrap(t.Context(), patterns.Order{Item: "a lamp"})
	queue <- envelope.Wrap(trace.ContextWithSpanContext(t.Context(), unsampled), patterns.Order{Item: "a table"})
	close(queue)
	ship := func(context.Context, patterns.Order) error { return errors.New("out of stock") }
	require.NoError(t, patterns.ShipAll(t.Context(), queue, ship))
	span := r.named(t, "ship order") // The other was decided against.
	assert.False(t, span.Parent().IsValid())
	assert.Equal(t, codes.Error, span.Status().Code)

	gone, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, patterns.ShipAll(gone, make(orders), ship), context.Canceled)
}

func TestSendForLogs(t *testing.T) {
	queue := make(orders, 1)
	unsampled := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}})
	require.NoError(t, patterns.SendForLogs(trace.ContextWithSpanContext(t.Context(), unsampled), queue, patterns.Order{}))
	ctx, _ := (<-queue).Unwrap(t.Context())
	assert.Equal(t, unsampled.TraceID(), trace.SpanContextFromContext(ctx).TraceID())
}
