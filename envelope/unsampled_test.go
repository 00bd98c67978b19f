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

// opening is each way to handle untraced messages with body.
var opening = map[string]func(ctx context.Context, ch chan envelope.Envelope[order], body func(context.Context)){
	"Receive": func(ctx context.Context, ch chan envelope.Envelope[order], body func(context.Context)) {
		for ctx := range envelope.Receive(ctx, ch, "handle") {
			body(ctx)
		}
	},
	"Handler": func(ctx context.Context, ch chan envelope.Envelope[order], body func(context.Context)) {
		handle := envelope.Handler(ctx, "handle", func(ctx context.Context, _ order) error {
			body(ctx)
			return nil
		})
		for e := range ch {
			_ = handle(e)
		}
	},
	"BatchHandler": func(ctx context.Context, ch chan envelope.Envelope[order], body func(context.Context)) {
		handle := envelope.BatchHandler(ctx, "handle", func(ctx context.Context, _ []envelope.Envelope[order]) error {
			body(ctx)
			return nil
		})
		for e := range ch {
			_ = handle([]envelope.Envelope[order]{e})
		}
	},
	"Unwrap": func(ctx context.Context, ch chan envelope.Envelope[order], body func(context.Context)) {
		for e := range ch {
			ctx, _ := e.Unwrap(envelope.Untraced(ctx))
			body(ctx)
		}
	},
}

// A sampler that does not honour an unsampled parent records what untraced
// messages start, each message's spans as a trace of their own; one that does
// records nothing.
func TestUntracedMessagesDoNotShareATrace(t *testing.T) {
	const messages = 100
	for name, open := range opening {
		for _, c := range []struct {
			sampler sdktrace.Sampler
			traces  int
		}{
			{sdktrace.AlwaysSample(), messages},
			{sdktrace.TraceIDRatioBased(0.5), 0},
			{sdktrace.ParentBased(sdktrace.AlwaysSample()), 0},
		} {
			t.Run(name+" "+c.sampler.Description(), func(t *testing.T) {
				provider, recorder := newProvider(t, sdktrace.WithSampler(c.sampler))
				ch := make(chan envelope.Envelope[order], messages)
				for i := range messages {
					ch <- envelope.Wrap(context.Background(), order{i})
				}
				close(ch)
				open(t.Context(), ch, func(ctx context.Context) {
					ctx, span := provider.Tracer("user").Start(ctx, "user")
					_, child := provider.Tracer("user").Start(ctx, "child")
					child.End()
					span.End()
				})
				traces := make(map[trace.TraceID]int)
				for _, s := range recorder.Ended() {
					traces[s.SpanContext().TraceID()]++
				}
				require.Len(t, traces, c.traces)
				for _, spans := range traces {
					assert.Equal(t, 2, spans)
				}
			})
		}
	}
}
