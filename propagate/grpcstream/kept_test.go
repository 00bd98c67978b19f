// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package grpcstream_test

import (
	"context"
	"runtime"
	"testing"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/propagate/grpcstream"
)

// Whoever keeps an envelope, to handle it once more for instance, keeps nothing of its first
// handling.
func TestAKeptEnvelopeKeepsNoContext(t *testing.T) {
	s := new(encoder)
	traced := trace.ContextWithSpanContext(context.Background(), spanContext(1))
	require.NoError(t, grpcstream.NewSender(s).Send(traced, text("hello")))
	kept, err := grpcstream.NewReceiver(&decoder{context.Background(), s.buffer}, "handle").Recv()
	require.NoError(t, err)
	value := handleOnce(t, kept)
	runtime.GC()
	assert.Nil(t, value.Value())
	assert.True(t, kept.Header().Sampled())
}

// handleOnce handles e, in a context with the value that it returns.
func handleOnce(t *testing.T, e envelope.Envelope[*note]) weak.Pointer[[1 << 16]byte] {
	t.Helper()
	type key struct{}
	value := new([1 << 16]byte)
	handle := envelope.Handler(context.WithValue(context.Background(), key{}, value), "handle",
		func(ctx context.Context, _ *note) error {
			assert.Same(t, value, ctx.Value(key{}))
			return nil
		}, envelope.WithTracerProvider(sdktrace.NewTracerProvider()))
	require.NoError(t, handle(e))
	return weak.Make(value)
}
