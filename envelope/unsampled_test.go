// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
)

// A sampler that does not honour an unsampled parent records what untraced
// messages start, each message's spans as a trace of their own.
func TestUntracedMessagesDoNotShareATrace(t *testing.T) {
	const messages = 100
	provider, recorder := newProvider(t, sdktrace.WithSampler(sdktrace.AlwaysSample()))
	ch := make(chan envelope.Envelope[order], messages)
	for i := range messages {
		ch <- envelope.Wrap(context.Background(), order{i})
	}
	close(ch)
	for ctx := range envelope.Receive(t.Context(), ch, "r", envelope.WithTracerProvider(provider)) {
		ctx, span := provider.Tracer("user").Start(ctx, "user")
		_, child := provider.Tracer("user").Start(ctx, "child")
		child.End()
		span.End()
	}
	traces := make(map[trace.TraceID]int)
	for _, s := range recorder.Ended() {
		traces[s.SpanContext().TraceID()]++
	}
	require.Len(t, traces, messages)
	for _, spans := range traces {
		assert.Equal(t, 2, spans)
	}
}
