// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package header_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/handling"
	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/nonrecording"
)

func content() header.Content { return header.Content{SpanContext: spanContext(1), Hops: 1} }

// A header for one recipient is allocated together with its context. Any other one is not, so
// that whoever keeps it does not keep a context.
func TestTheContextOfAHeaderForOneHasItsRoom(t *testing.T) {
	base := header.Untraced(context.Background())
	assert.InDelta(t, 1, testing.AllocsPerRun(100, func() { header.OfOne(content()).Context(base) }), 0)
	assert.InDelta(t, 2, testing.AllocsPerRun(100, func() { header.Of(content()).Context(base) }), 0)
	assert.Nil(t, header.OfOne(header.Content{}))
	assert.Nil(t, header.OfOne(header.Content{SpanContext: trace.SpanContext{}.WithTraceFlags(trace.FlagsSampled)}))
	unsampled := header.Content{SpanContext: spanContext(0)}
	assert.Equal(t, header.Of(unsampled), header.OfOne(unsampled))
}

// One header may have any number of recipients, each with a context and a handling of its own,
// whether its contexts answer for their spans themselves or not.
func TestEachContextOfAHeaderIsItsOwn(t *testing.T) {
	type key struct{}
	outside := span(7)
	try := func(t *testing.T) {
		h := header.OfOne(content())
		var done sync.WaitGroup
		for i := range 8 {
			done.Go(func() {
				base := context.WithValue(handling.With(t.Context(), outside), key{}, i)
				ctx, room := h.ContextWithRoom(base)
				assert.Equal(t, spanContext(1), trace.SpanContextFromContext(ctx))
				assert.Same(t, outside, handling.SpanOf(ctx), "it is not handled yet")
				own := span(byte(i + 10))
				below := room.With(trace.ContextWithSpan(ctx, own), own)
				assert.Same(t, own, handling.SpanOf(below))
				assert.Equal(t, i, below.Value(key{}))
				assert.Equal(t, own.SpanContext(), trace.SpanContextFromContext(below))
				assert.Equal(t, 2, header.CarryPolicy{}.Header(below).Hops())
				assert.Nil(t, below.Value(nil))
				assert.Contains(t, fmt.Sprint(ctx), "WithMessage")
			})
		}
		done.Wait()
	}
	t.Run("asked by its key", try)
	t.Run("with a context of package trace", func(t *testing.T) {
		header.ForgetSpanKey(t)
		try(t)
	})
}

// A tracer that is plugged in may return a context that has nothing to do with the one that it
// was given. The handling is found all the same.
func TestAHandlingInAForeignContext(t *testing.T) {
	_, room := header.OfOne(content()).ContextWithRoom(t.Context())
	own := span(9)
	assert.Same(t, own, handling.SpanOf(room.With(context.Background(), own)))
}

// span returns a span of the trace that [content] has.
func span(id byte) trace.Span {
	sc := spanContext(1).WithSpanID(trace.SpanID{id})
	s := nonrecording.NewSpan(&sc)
	return &s
}
