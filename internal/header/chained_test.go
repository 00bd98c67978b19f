// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package header_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/internal/handling"
	"github.com/waybill-go/waybill/internal/header"
)

func read() *header.Header { return header.Of(header.Content{SpanContext: spanContext(1), Hops: 1}) }

// What came from another machine mostly has one recipient. Its context is allocated with the
// header.
func TestTheContextOfAHeaderThatWasReadHasItsRoom(t *testing.T) {
	base := header.Untraced(context.Background())
	alone := testing.AllocsPerRun(100, func() { read() })
	assert.InDelta(t, 1, alone, 0)
	assert.InDelta(t, 1, testing.AllocsPerRun(100, func() { read().Context(base) }), 0)
	sent := header.CarryPolicy{}.Header(sampledContext(t))
	assert.InDelta(t, 1, testing.AllocsPerRun(100, func() { sent.Context(base) }), 0)
}

// One header may have any number of recipients, each with a context and a handling of its own.
func TestEachContextOfAHeaderIsItsOwn(t *testing.T) {
	type key struct{}
	h := read()
	var done sync.WaitGroup
	for i := range 8 {
		done.Go(func() {
			base := context.WithValue(header.Untraced(context.Background()), key{}, i)
			ctx, room := h.ContextWithRoom(base)
			_, span := noop.NewTracerProvider().Tracer("test").Start(ctx, "handling")
			assert.Nil(t, handling.SpanOf(ctx))
			below := room.With(ctx, span)
			assert.Equal(t, span, handling.SpanOf(below))
			assert.Equal(t, i, below.Value(key{}))
			assert.Equal(t, spanContext(1), trace.SpanContextFromContext(ctx))
			assert.Equal(t, 2, header.CarryPolicy{}.Header(below).Hops())
		})
	}
	done.Wait()
}
