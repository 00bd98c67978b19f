// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/trace"
)

// LogHandler returns a handler for [log/slog] that hides sentinels from next. Most handlers
// write the IDs of the trace in the context of a log line. In the handling of an untraced
// message these are the IDs of a [Sentinel], which no backend has. Behind a LogHandler such a
// line has no IDs. All other lines keep theirs, sampled or not. So with
// [CarryPolicy].Unsampled, the lines of an unsampled trace have its true IDs.
//
//	logger := slog.New(envelope.LogHandler(otelslog.NewHandler("orders")))
//
// next gets every line that the LogHandler gets. Its Enabled sees the context as it is. The
// handler adds one allocation to a line with a sentinel, and none to any other line. Any number
// of goroutines may use it if they may use next. LogHandler panics if next is nil.
func LogHandler(next slog.Handler) slog.Handler {
	if next == nil {
		panic("envelope: LogHandler needs a handler to go in front of")
	}
	return logHandler{next}
}

type logHandler struct{ slog.Handler }

// noSpan is the span of a context that has none.
var noSpan = trace.SpanFromContext(context.Background())

// Handle passes the record on, without a sentinel in ctx.
func (h logHandler) Handle(ctx context.Context, r slog.Record) error {
	if IsSentinel(trace.SpanContextFromContext(ctx)) {
		ctx = trace.ContextWithSpan(ctx, noSpan)
	}
	return h.Handler.Handle(ctx, r)
}

func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logHandler{h.Handler.WithAttrs(attrs)}
}

func (h logHandler) WithGroup(name string) slog.Handler {
	return logHandler{h.Handler.WithGroup(name)}
}
