// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package contexts_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/sentinel"
	"github.com/waybill-go/waybill/mailbox/internal/contexts"
)

func TestOwnerIsFoundFromWhatIsDerived(t *testing.T) {
	type key struct{}
	p := newProcess()
	derived, cancel := context.WithCancel(context.WithValue(p, key{}, 1))
	defer cancel()
	assert.Equal(t, contexts.Owner(p), contexts.OwnerOf(p))
	assert.Equal(t, contexts.Owner(p), contexts.OwnerOf(derived))
	assert.Nil(t, contexts.OwnerOf(context.Background()))
	assert.Nil(t, contexts.OwnerOf(contexts.Base()))
}

// Spans that are started in an owner's context have the sentinel above them, and
// nothing costs an allocation until somebody waits for the end.
func TestOwnersContextIsUntracedAndCostsNothing(t *testing.T) {
	p := newProcess()
	assert.True(t, sentinel.Is(trace.SpanContextFromContext(p)))
	assert.Zero(t, baggage.FromContext(p).Len())
	var ctx context.Context = p
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		_ = ctx.Err()
		_ = contexts.OwnerOf(ctx)
		_ = trace.SpanContextFromContext(ctx)
	}))
}
