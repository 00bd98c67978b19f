// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"context"
	"log/slog"
	"time"

	"github.com/waybill-go/waybill/internal/guard"
	"github.com/waybill-go/waybill/internal/keys"
)

// logsPerSecond is how many records a second a kind's events may make.
const logsPerSecond = 10

// eventLog writes events to a logger.
type eventLog struct {
	given  bool         // by the user; else it is slog's default one, for the worst
	logger *slog.Logger // nil writes nothing
}

// isSevere reports whether e is to be heard of even by those who asked for nothing.
func isSevere(e Event) bool {
	switch e.Type {
	case HandlerFailed, SaveFailed, CloseFailed:
		return e.Panicked()
	case ProcessEnded:
		return e.Err != ErrKilled //nolint:errorlint // Our own, never wrapped.
	default:
		return false
	}
}

// wants reports whether e is written.
func (l eventLog) wants(e Event) bool {
	if l.given {
		return l.logger != nil
	}
	return isSevere(e)
}

// write writes e, unless there are too many of that kind just now.
func (l eventLog) write(e Event, kind *kindTotals) {
	if !l.wants(e) {
		return
	}
	if !kind.logged.Allow(e.Time.UnixNano(), logsPerSecond) {
		if kind.unlogged.Add(1) == 1 {
			time.AfterFunc(time.Second, func() { guard.Do(func() { l.summarise(kind) }) })
		}
		return
	}
	level := slog.LevelWarn
	if isSevere(e) {
		level = slog.LevelError
	}
	l.to().LogAttrs(context.Background(), level, "mailbox: "+e.Type.String(), attributesOf(e)...)
}

// summarise says how many events of a kind were not written.
func (l eventLog) summarise(kind *kindTotals) {
	l.to().LogAttrs(context.Background(), slog.LevelWarn, "mailbox: events left out",
		slog.String(string(keys.ProcessKind), kind.name), slog.Uint64("count", kind.unlogged.Swap(0)))
}

func (l eventLog) to() *slog.Logger {
	if l.given {
		return l.logger
	}
	return slog.Default()
}

// attributesOf describes e. Its names are those of spans where spans have them.
func attributesOf(e Event) []slog.Attr {
	attrs := []slog.Attr{slog.String(string(keys.ProcessKind), e.Kind)}
	text := func(name, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(name, value))
		}
	}
	text(string(keys.ProcessID), e.ID)
	text(string(keys.MessageType), e.Message)
	text("reason", e.Reason)
	if e.Err != nil {
		text("error", e.Err.Error())
	}
	if own, ok := e.Err.(*PanicError); ok && e.Type != ProcessEnded { //nolint:errorlint // As in Panicked; once is enough.
		text("stack", string(own.Stack))
	}
	if e.SpanContext.IsValid() {
		text("trace_id", e.SpanContext.TraceID().String())
		text("span_id", e.SpanContext.SpanID().String())
	}
	return attrs
}
