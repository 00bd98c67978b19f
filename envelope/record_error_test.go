// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/plugged"
)

func TestRecordErrorIsOnTheMessagesSpan(t *testing.T) {
	provider, recorder := newProvider(t)
	tracer := provider.Tracer("test")
	ch := filled(t, sampledContext(t), order{1}, order{2}, order{3})
	for ctx, m := range envelope.Receive(t.Context(), ch, "r", envelope.WithTracerProvider(provider)) {
		child, span := tracer.Start(ctx, "child")
		switch m.ID {
		case 1:
			envelope.RecordError(ctx, errors.New("out of stock"))
		case 2:
			derived, cancel := context.WithCancel(child)
			envelope.RecordError(derived, errors.New("out of stock"))
			cancel()
		case 3: // Negative control.
			envelope.RecordError(ctx, nil)
			envelope.RecordError(t.Context(), errors.New("not in this handling"))
		}
		span.End()
	}
	require.Len(t, recorder.Ended(), 6)
	for i := range 3 {
		child, message := recorder.Ended()[2*i], recorder.Ended()[2*i+1]
		assert.Equal(t, codes.Unset, child.Status().Code)
		assert.Empty(t, child.Events(), "a span of the user's own is left alone")
		if i == 2 {
			assert.Equal(t, codes.Unset, message.Status().Code)
			assert.Empty(t, message.Events())
			continue
		}
		assert.Equal(t, codes.Error, message.Status().Code)
		assert.Equal(t, "out of stock", message.Status().Description)
		assert.Equal(t, "out of stock", exception(t, message)["exception.message"].AsString())
	}
}

// TestRecordErrorOfAnUntracedMessage has every untraced message inside the handling of a
// traced one, whose span must hear nothing.
func TestRecordErrorOfAnUntracedMessage(t *testing.T) {
	provider, recorder := newProvider(t)
	with := envelope.WithTracerProvider(provider)
	wrong := errors.New("wrong")
	outer := envelope.Handler(t.Context(), "outer", func(ctx context.Context, _ order) error {
		for ctx := range envelope.Receive(ctx, filled(t, t.Context(), order{1}), "inner", with) {
			envelope.RecordError(ctx, wrong)
		}
		inner := envelope.Handler(ctx, "inner", func(context.Context, order) error { return wrong },
			with, envelope.WithOwnTrace())
		require.ErrorIs(t, inner(envelope.Bare(order{1})), wrong)
		batch := envelope.BatchHandler(ctx, "inner", func(context.Context, []envelope.Envelope[order]) error { return wrong }, with)
		require.ErrorIs(t, batch([]envelope.Envelope[order]{envelope.Bare(order{1})}), wrong)
		envelope.RecordError(envelope.Untraced(ctx), wrong)
		unwrapped, _ := envelope.Wrap(sampledContext(t), order{1}).Unwrap(ctx)
		envelope.RecordError(unwrapped, wrong)
		return nil
	}, with)
	require.NoError(t, outer(envelope.Wrap(sampledContext(t), order{1})))
	require.Len(t, recorder.Ended(), 1)
	assert.Equal(t, codes.Unset, recorder.Ended()[0].Status().Code)
	assert.Empty(t, recorder.Ended()[0].Events())

	var none context.Context
	assert.NotPanics(t, func() { envelope.RecordError(none, wrong) })
}

func TestRecordErrorSurvivesWhatIsPluggedIn(t *testing.T) {
	for name, provider := range plugged.Providers() {
		t.Run(name, func(t *testing.T) {
			for ctx := range envelope.Receive(t.Context(), filled(t, sampledContext(t), order{1}), "r",
				envelope.WithTracerProvider(provider)) {
				assert.NotPanics(t, func() { envelope.RecordError(ctx, errors.New("wrong")) })
			}
		})
	}
}

func TestReceiveSaysWhyItEnded(t *testing.T) {
	err := errors.New("from before")
	body := func(context.Context) bool { return true }
	loop := func(ctx context.Context, ch chan envelope.Envelope[order]) (n int) {
		for c := range envelope.Receive(ctx, ch, "r", envelope.WithErr(&err)) {
			require.NoError(t, err, "the loop has not ended")
			if n++; !body(c) {
				break
			}
		}
		return n
	}

	assert.Equal(t, 2, loop(t.Context(), filled(t, t.Context(), order{1}, order{2})))
	require.NoError(t, err, "the channel is closed")

	ctx, cancel := context.WithCancel(t.Context())
	body = func(c context.Context) bool { cancel(); return true }
	assert.Equal(t, 1, loop(ctx, filled(t, t.Context(), order{1}, order{2})))
	require.ErrorIs(t, err, context.Canceled, "one message is left")

	body = func(context.Context) bool { return false }
	assert.Equal(t, 1, loop(t.Context(), filled(t, t.Context(), order{1}, order{2})))
	require.NoError(t, err, "it was left by break")

	// While the loop waits.
	ctx, cancel = context.WithCancel(t.Context())
	waiting := make(chan envelope.Envelope[order])
	go func() {
		waiting <- envelope.Bare(order{1})
		cancel()
	}()
	body = func(context.Context) bool { return true }
	assert.Equal(t, 1, loop(ctx, waiting))
	require.ErrorIs(t, err, context.Canceled)

	// A context that ends after the loop has changes nothing.
	ctx, cancel = context.WithCancel(t.Context())
	assert.Equal(t, 1, loop(ctx, filled(t, t.Context(), order{1})))
	cancel()
	require.NoError(t, err)
	assert.Zero(t, loop(ctx, filled(t, t.Context(), order{1})))
	require.ErrorIs(t, err, context.Canceled)

	for range envelope.Receive(t.Context(), filled(t, t.Context(), order{1}), "r", envelope.WithErr(nil)) {
		continue // Nobody wants to know.
	}
}
