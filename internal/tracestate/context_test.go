// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package tracestate_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/tracestate"
)

func TestContext(t *testing.T) {
	ctx := t.Context()
	assert.Nil(t, tracestate.FromContext(ctx))
	assert.Equal(t, ctx, tracestate.ContextWith(ctx, nil), "there is nothing to take away")

	first, second := read(t, "x@=1").Beside(traceID), read(t, "x@=2").Beside(traceID)
	with := tracestate.ContextWith(ctx, first)
	assert.Same(t, first, tracestate.FromContext(with))
	assert.Same(t, second, tracestate.FromContext(tracestate.ContextWith(with, second)))
	assert.Nil(t, tracestate.FromContext(tracestate.ContextWith(with, nil)))
	assert.Same(t, first, tracestate.FromContext(with), "it is as it was")
}

func TestOf(t *testing.T) {
	b := read(t, "x@=1").Beside(traceID)
	assert.Same(t, b, b.Of(traceID))
	assert.Nil(t, b.Of(trace.TraceID{9}))
	assert.Nil(t, (*tracestate.Beside)(nil).Of(traceID))
	assert.Nil(t, (*tracestate.Beside)(nil).Of(trace.TraceID{}))
}
