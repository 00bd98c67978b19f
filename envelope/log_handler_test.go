// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"testing"
	"testing/slogtest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
)

// seenHandler remembers the context of the last line.
type seenHandler struct {
	slog.Handler

	last *context.Context
}

func (h seenHandler) Handle(ctx context.Context, r slog.Record) error {
	*h.last = ctx
	return h.Handler.Handle(ctx, r)
}

func (h seenHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return seenHandler{h.Handler.WithAttrs(attrs), h.last}
}

func (h seenHandler) WithGroup(name string) slog.Handler {
	return seenHandler{h.Handler.WithGroup(name), h.last}
}

func TestLogHandlerHidesSentinels(t *testing.T) {
	config := trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}}
	unsampled := trace.NewSpanContext(config)
	sampled := unsampled.WithTraceFlags(trace.FlagsSampled)
	below := envelope.Sentinel().WithSpanID(trace.SpanID{3})
	var last context.Context
	logger := slog.New(envelope.LogHandler(seenHandler{slog.NewTextHandler(new(bytes.Buffer), nil), &last}))
	assert.False(t, logger.Enabled(t.Context(), slog.LevelDebug), "Enabled is that of the next handler")
	for name, tt := range map[string]struct{ has, want trace.SpanContext }{
		"sampled":             {sampled, sampled},
		"unsampled":           {unsampled, unsampled},
		"none":                {},
		"sentinel":            {has: envelope.Sentinel()},
		"span below sentinel": {has: below},
	} {
		for kind, logger := range map[string]*slog.Logger{
			"": logger, " with attributes": logger.With("a", 1), " in a group": logger.WithGroup("g"),
		} {
			ctx := trace.ContextWithSpanContext(t.Context(), tt.has)
			last = nil
			logger.InfoContext(ctx, "line")
			require.NotNil(t, last, name+kind)
			assert.Equal(t, tt.want, trace.SpanContextFromContext(last), name+kind)
		}
	}
}

// An untraced message brings the sentinel, and its baggage stays visible to the handler.
func TestLogHandlerOfAnUntracedMessage(t *testing.T) {
	bag, err := baggage.Parse("tenant=acme")
	require.NoError(t, err)
	var last context.Context
	logger := slog.New(envelope.LogHandler(seenHandler{slog.NewTextHandler(new(bytes.Buffer), nil), &last}))
	ctx, _ := envelope.Wrap(baggage.ContextWithBaggage(t.Context(), bag), 7).Unwrap(t.Context())
	require.True(t, envelope.IsSentinel(trace.SpanContextFromContext(ctx)), "or there is nothing to hide")
	logger.InfoContext(ctx, "line")
	assert.False(t, trace.SpanContextFromContext(last).IsValid())
	assert.Equal(t, "tenant=acme", baggage.FromContext(last).String())
}

func TestLogHandlerIsAHandler(t *testing.T) {
	var out bytes.Buffer
	handler := envelope.LogHandler(slog.NewJSONHandler(&out, nil))
	require.NoError(t, slogtest.TestHandler(handler, func() []map[string]any {
		var lines []map[string]any
		for line := range bytes.Lines(out.Bytes()) {
			var m map[string]any
			require.NoError(t, json.Unmarshal(line, &m))
			lines = append(lines, m)
		}
		return lines
	}))
}

func TestLogHandlerNeedsAnother(t *testing.T) {
	assert.Panics(t, func() { envelope.LogHandler(nil) })
}

func TestLogHandlerAllocations(t *testing.T) {
	handler := envelope.LogHandler(slog.DiscardHandler)
	var record slog.Record
	traced := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2},
	}))
	for _, tt := range []struct {
		ctx  context.Context
		want float64
	}{{t.Context(), 0}, {traced, 0}, {envelope.Untraced(t.Context()), 1}} {
		assert.InDelta(t, tt.want, testing.AllocsPerRun(100, func() {
			if handler.Handle(tt.ctx, record) != nil {
				t.Fail()
			}
		}), 0)
	}
}

// idHandler adds the IDs of the trace, as many services do.
type idHandler struct{ slog.Handler }

func (h idHandler) Handle(ctx context.Context, r slog.Record) error {
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		r = r.Clone()
		r.AddAttrs(slog.String("trace_id", sc.TraceID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

func ExampleLogHandler() {
	text := slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{} // It differs each time.
			}
			return a
		},
	})
	logger := slog.New(envelope.LogHandler(idHandler{text}))

	traced := trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{0x0a, 0xf7}, SpanID: trace.SpanID{0xb7}, TraceFlags: trace.FlagsSampled,
	}))
	for _, sender := range []context.Context{traced, context.Background()} {
		ctx, order := envelope.Wrap(sender, "a lamp").Unwrap(context.Background())
		logger.InfoContext(ctx, "order", "item", order)
	}
	// Output:
	// level=INFO msg=order item="a lamp" trace_id=0af70000000000000000000000000000
	// level=INFO msg=order item="a lamp"
}
