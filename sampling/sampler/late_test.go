// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampler_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
)

// Failures of messages that nobody traced leave late roots, in a service that
// samples no roots: with the wrapper all of them, without it none.
func TestLateRootsOfUntracedMessages(t *testing.T) {
	both(t, sdktrace.ParentBased(sdktrace.NeverSample()), func(t *testing.T, r *recorder, wrapped bool) {
		c := sampling.Config{}
		c.Default.Late = sampling.Late{Failures: true, Roots: true}
		control, err := sampling.NewControl(c)
		require.NoError(t, err)
		sys := mailbox.NewSystem(mailbox.WithTracerProvider(r.provider), mailbox.WithControl(control))
		worker, err := mailbox.Spawn(sys, "worker", func(_ context.Context, fails bool) error {
			if fails {
				return errors.New("it fails")
			}
			return nil
		}, mailbox.WithErrorPolicy(mailbox.Continue))
		require.NoError(t, err)
		for _, ctx := range []context.Context{context.Background(), below(spanContext(0)), below(envelope.Sentinel())} {
			require.NoError(t, worker.Send(ctx, true))
			require.NoError(t, worker.Send(ctx, false))
		}
		shutdown(t, sys)

		if !wrapped {
			assert.Empty(t, r.spans.GetSpans())
			return
		}
		require.Len(t, r.spans.GetSpans(), 3)
		traces := make(map[trace.TraceID]bool)
		for _, s := range r.all("worker bool") {
			assert.False(t, s.Parent.IsValid())
			assert.False(t, envelope.IsSentinel(s.SpanContext))
			assert.Equal(t, "error", attributes(t, s)[keys.LateReason])
			assert.Zero(t, attributes(t, s)[keys.FanoutWeight])
			traces[s.SpanContext.TraceID()] = true
		}
		assert.Len(t, traces, 3, "each has a trace of its own")
	})
}
