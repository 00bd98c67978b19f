// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package handling_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/internal/handling"
)

func TestSpanOf(t *testing.T) {
	_, span := noop.NewTracerProvider().Tracer("test").Start(t.Context(), "handling")
	assert.Nil(t, handling.SpanOf(t.Context()))
	ctx := handling.With(t.Context(), span)
	assert.Equal(t, span, handling.SpanOf(ctx))
	type key struct{}
	derived, cancel := context.WithCancel(context.WithValue(ctx, key{}, "kept"))
	defer cancel()
	assert.Equal(t, span, handling.SpanOf(derived))
	assert.Nil(t, handling.SpanOf(handling.Without(derived)))
	assert.Equal(t, "kept", handling.Without(derived).Value(key{}))
	assert.Equal(t, t.Context(), handling.Without(t.Context()))
	without := handling.Without(ctx)
	assert.Equal(t, without, handling.Without(without), "once is enough")
}

// Without debug mode there is no site, and nothing to end.
func TestNoSite(t *testing.T) {
	_, span := noop.NewTracerProvider().Tracer("test").Start(t.Context(), "handling")
	var site *handling.Site
	ctx, running := site.Begin(t.Context(), span, nil)
	assert.Equal(t, span, handling.SpanOf(ctx))
	assert.Nil(t, running)
	assert.NotPanics(t, running.End)
}
