// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
)

// bridged returns a logger that writes to OpenTelemetry.
func bridged(provider log.LoggerProvider) *slog.Logger {
	// logs: bridge
	bridge := otelslog.NewHandler("orders", otelslog.WithLoggerProvider(provider))
	logger := slog.New(envelope.LogHandler(bridge))
	// logs: end
	return logger
}

// logs: plain

// traceHandler adds the IDs of the trace to each line. It stands behind envelope.LogHandler.
type traceHandler struct{ slog.Handler }

func (h traceHandler) Handle(ctx context.Context, r slog.Record) error {
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		r = r.Clone() // The record may be somebody else's too.
		r.AddAttrs(slog.String("trace_id", sc.TraceID().String()), slog.String("span_id", sc.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

func (h traceHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return traceHandler{h.Handler.WithAttrs(attrs)}
}

func (h traceHandler) WithGroup(name string) slog.Handler {
	return traceHandler{h.Handler.WithGroup(name)}
}

// logs: end

// written returns a logger that writes to a plain handler.
func written(text slog.Handler) *slog.Logger {
	// logs: written
	logger := slog.New(envelope.LogHandler(traceHandler{text}))
	// logs: end
	return logger
}

// logs: processor

// withoutSentinels is a processor that takes the IDs of sentinels out of records.
type withoutSentinels struct{}

func (withoutSentinels) OnEmit(_ context.Context, r *sdklog.Record) error {
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: r.TraceID(), TraceFlags: r.TraceFlags()})
	if envelope.IsSentinel(sc) {
		r.SetTraceID(trace.TraceID{})
		r.SetSpanID(trace.SpanID{})
	}
	return nil
}

// Enabled is false, because the processors behind this one decide.
func (withoutSentinels) Enabled(context.Context, sdklog.EnabledParameters) bool { return false }
func (withoutSentinels) Shutdown(context.Context) error                         { return nil }
func (withoutSentinels) ForceFlush(context.Context) error                       { return nil }

// logs: end

// recording returns a provider of loggers for programs with other bridges.
func recording(exporter sdklog.Exporter) *sdklog.LoggerProvider {
	// logs: provider
	provider := sdklog.NewLoggerProvider(
		sdklog.WithProcessor(withoutSentinels{}), // in front of all others
		sdklog.WithProcessor(sdklog.NewBatchProcessor(exporter)),
	)
	// logs: end
	return provider
}
