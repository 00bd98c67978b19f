// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
)

// A nil context is a mistake, and no reason to panic: it stands for
// context.Background() wherever the package takes a context.
func TestNilContext(t *testing.T) {
	var none context.Context
	isUntraced := func(t *testing.T, ctx context.Context) {
		t.Helper()
		require.NotNil(t, ctx)
		require.NoError(t, ctx.Err())
		assert.True(t, envelope.IsSentinel(trace.SpanContextFromContext(ctx)))
	}
	handle := func(ctx context.Context, m order) error {
		isUntraced(t, ctx)
		assert.Equal(t, order{1}, m)
		return nil
	}
	for name, use := range map[string]func(t *testing.T){
		"Wrap":        func(t *testing.T) { assert.Equal(t, envelope.Bare(order{1}), envelope.Wrap(none, order{1})) },
		"NewHeader":   func(t *testing.T) { assert.Nil(t, envelope.NewHeader(none)) },
		"CarryPolicy": func(t *testing.T) { assert.Nil(t, envelope.CarryPolicy{Unsampled: true}.Header(none)) },
		"Untraced":    func(t *testing.T) { isUntraced(t, envelope.Untraced(none)) },
		"Unwrap": func(t *testing.T) {
			ctx, m := envelope.Bare(order{1}).Unwrap(none)
			require.NoError(t, handle(ctx, m))
		},
		"Unwrap a traced one": func(t *testing.T) {
			ctx, _ := envelope.Wrap(sampledContext(t), order{1}).Unwrap(none)
			assert.True(t, trace.SpanContextFromContext(ctx).Equal(spanContext(trace.FlagsSampled)))
		},
		"Send": func(t *testing.T) {
			ch := make(chan envelope.Envelope[order])
			received := make(chan envelope.Envelope[order])
			go func() { received <- <-ch }()
			require.NoError(t, envelope.Send(none, ch, order{1}), "it waits as long as it takes")
			assert.Equal(t, envelope.Bare(order{1}), <-received)
		},
		"TrySend": func(t *testing.T) {
			assert.True(t, envelope.TrySend(none, make(chan envelope.Envelope[order], 1), order{1}))
		},
		"Receive": func(t *testing.T) {
			n := 0
			for ctx, m := range envelope.Receive(none, filled(t, t.Context(), order{1}), "r") {
				n++
				require.NoError(t, handle(ctx, m))
			}
			assert.Equal(t, 1, n)
		},
		"Handler": func(t *testing.T) {
			require.NoError(t, envelope.Handler(none, "h", handle)(envelope.Bare(order{1})))
		},
		"a nil option": func(t *testing.T) {
			require.NoError(t, envelope.Handler(none, "h", handle, nil)(envelope.Bare(order{1})))
		},
		"BatchHandler": func(t *testing.T) {
			all := func(ctx context.Context, batch []envelope.Envelope[order]) error {
				return handle(ctx, batch[0].Message())
			}
			require.NoError(t, envelope.BatchHandler(none, "b", all)([]envelope.Envelope[order]{envelope.Bare(order{1})}))
		},
	} {
		t.Run(name, func(t *testing.T) { assert.NotPanics(t, func() { use(t) }) })
	}
}
