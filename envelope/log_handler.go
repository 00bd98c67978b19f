// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"context"
	"log/slog"
	"slices"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/owner"
)

// LogHandler returns a handler for [log/slog] that stands in front of next, and does two
// things for the lines that are written in the handling of a message.
//
// It hides sentinels. Most handlers write the IDs of the trace in the context of a log line.
// In the handling of an untraced message these are the IDs of a [Sentinel], which no backend
// has. Behind a LogHandler such a line has no IDs. All other lines keep theirs, sampled or
// not. So with [CarryPolicy].Unsampled, the lines of an unsampled trace have its true IDs.
//
// It adds the kind and the ID of the process, where that is one of package mailbox, as spans
// have them: waybill.process.kind and waybill.process.id. The latter is left out if it is
// empty. They stand outside of all groups, so that one query finds the lines of a process.
//
//	logger := slog.New(envelope.LogHandler(otelslog.NewHandler("orders")))
//
// next gets every line that the LogHandler gets. Its Enabled sees the context as it is. A line
// with a sentinel costs one allocation more, and a line of a process those that next needs for
// two attributes. In a logger with a group, a line of a process costs as many more as it takes
// next to open its groups. Any number of goroutines may use the handler if they may use next.
// LogHandler panics if next is nil.
func LogHandler(next slog.Handler) slog.Handler {
	if next == nil {
		panic("envelope: LogHandler needs a handler to go in front of")
	}
	return logHandler{next: next, outside: next}
}

type logHandler struct {
	next slog.Handler
	// outside is next before its first group. Since then there were these steps.
	outside slog.Handler
	steps   []func(slog.Handler) slog.Handler
}

// noSpan is the span of a context that has none.
var noSpan = trace.SpanFromContext(context.Background())

// Enabled implements slog.Handler.
func (h logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle passes the record on, without a sentinel in ctx, and with the process that ctx
// belongs to.
func (h logHandler) Handle(ctx context.Context, r slog.Record) error {
	kind, id, ok := owner.Of(ctx)
	if IsSentinel(trace.SpanContextFromContext(ctx)) {
		ctx = trace.ContextWithSpan(ctx, noSpan)
	}
	if !ok {
		return h.next.Handle(ctx, r)
	}
	attrs := []slog.Attr{slog.String(string(keys.ProcessKind), kind), slog.String(string(keys.ProcessID), id)}
	if id == "" {
		attrs = attrs[:1]
	}
	if len(h.steps) == 0 {
		r = r.Clone() // It may be somebody else's too.
		r.AddAttrs(attrs...)
		return h.next.Handle(ctx, r)
	}
	next := h.outside.WithAttrs(attrs)
	for _, step := range h.steps {
		next = step(next)
	}
	return next.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(h.steps) == 0 {
		return LogHandler(h.next.WithAttrs(attrs))
	}
	return h.with(func(next slog.Handler) slog.Handler { return next.WithAttrs(attrs) })
}

// WithGroup implements slog.Handler.
func (h logHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return h.with(func(next slog.Handler) slog.Handler { return next.WithGroup(name) })
}

// with returns h after one more step.
func (h logHandler) with(step func(slog.Handler) slog.Handler) slog.Handler {
	return logHandler{step(h.next), h.outside, append(slices.Clip(h.steps), step)}
}
