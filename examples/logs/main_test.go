// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/otel/attribute"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/mailbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var hexadecimal = regexp.MustCompile(`[0-9a-f]{32}`)

func TestLinesHaveTheirTraceOrNone(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))
	parts := strings.Split(strings.TrimSpace(out.String()), "\n\n")
	require.Len(t, parts, 2, out.String())
	for _, part := range parts {
		lines := strings.Split(part, "\n")
		require.Len(t, lines, 7, part)
		id := func(line int) string { return hexadecimal.FindString(lines[line]) }
		sent, received := []string{id(0), id(1), id(2)}, []string{id(3), id(4), id(5)}
		assert.NotContains(t, sent, "", "the sender knows its traces")
		assert.Equal(t, []string{sent[0], "", sent[2]}, received, part)
		assert.NotEmpty(t, id(6), "a line of a process")
		assert.Regexp(t, `waybill\.process\.kind.cart,? waybill\.process\.id.ada`, lines[6])
	}
}

// memory is an exporter that keeps what a backend would get.
type memory struct {
	mu      sync.Mutex
	records []sdklog.Record
}

func (m *memory) Export(_ context.Context, records []sdklog.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range records {
		m.records = append(m.records, r.Clone())
	}
	return nil
}

func (*memory) Shutdown(context.Context) error   { return nil }
func (*memory) ForceFlush(context.Context) error { return nil }

// ids returns the trace ID and span ID of each record.
func (m *memory) ids() (ids []trace.SpanContextConfig) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.records {
		ids = append(ids, trace.SpanContextConfig{TraceID: r.TraceID(), SpanID: r.SpanID()})
	}
	return ids
}

// processes returns the kind and the ID of the process that wrote each record.
func (m *memory) processes() (all [][2]string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.records {
		var process [2]string
		r.WalkAttributes(func(a attribute.KeyValue) bool {
			switch a.Key {
			case "waybill.process.kind":
				process[0] += a.Value.AsString()
			case "waybill.process.id":
				process[1] += a.Value.AsString()
			}
			return true
		})
		all = append(all, process)
	}
	return all
}

func synchronous(exporter sdklog.Exporter, first ...sdklog.Processor) *sdklog.LoggerProvider {
	var options []sdklog.LoggerProviderOption
	for _, p := range append(slices.Clip(first), sdklog.NewSimpleProcessor(exporter)) {
		options = append(options, sdklog.WithProcessor(p))
	}
	return sdklog.NewLoggerProvider(options...)
}

// The bridge alone writes the sentinel's IDs. So the handler in front of it is needed.
func TestBridgeAloneWritesSentinels(t *testing.T) {
	kept := new(memory)
	logger := slog.New(otelslog.NewHandler("orders", otelslog.WithLoggerProvider(synchronous(kept))))
	logger.InfoContext(envelope.Untraced(t.Context()), "line")
	require.Len(t, kept.ids(), 1)
	assert.True(t, kept.ids()[0].TraceID.IsValid())
}

// ways are the set-ups that keep sentinels out of a backend.
var ways = map[string]func(kept *memory) *slog.Logger{
	"handler": func(kept *memory) *slog.Logger { return bridged(synchronous(kept)) },
	"handler with attributes": func(kept *memory) *slog.Logger {
		return bridged(synchronous(kept)).With("service", "orders").WithGroup("order")
	},
	"processor": func(kept *memory) *slog.Logger {
		return slog.New(otelslog.NewHandler("orders",
			otelslog.WithLoggerProvider(synchronous(kept, withoutSentinels{}))))
	},
}

// Handlers of processes write lines in sampled, unsampled and untraced messages, and in
// spans that they start below.
func TestHandlersOfProcessesLog(t *testing.T) {
	unsampled := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	sampled := unsampled.WithTraceID(trace.TraceID{3}).WithTraceFlags(trace.FlagsSampled)
	for name, open := range ways {
		for _, carried := range []bool{false, true} {
			kept := new(memory)
			logger := open(kept)
			spans := sdktrace.NewTracerProvider() // parent-based
			sys := mailbox.NewSystem(mailbox.WithTracerProvider(spans),
				mailbox.WithCarry(envelope.CarryPolicy{Unsampled: carried}))
			kind, err := mailbox.NewKind[Order](sys, "order")
			require.NoError(t, err)
			orders, err := kind.Spawn("7", func(ctx context.Context, m Order) error {
				logger.InfoContext(ctx, "received", "order", m.ID)
				ctx, span := spans.Tracer("orders").Start(ctx, "price")
				defer span.End()
				logger.InfoContext(ctx, "priced", "order", m.ID)
				return nil
			})
			require.NoError(t, err)
			for i, sc := range []trace.SpanContext{sampled, unsampled, {}} {
				require.NoError(t, orders.Send(trace.ContextWithSpanContext(t.Context(), sc), Order{i}))
			}
			require.NoError(t, sys.Shutdown(t.Context()))
			require.NoError(t, spans.Shutdown(t.Context()))

			ids := kept.ids()
			require.Len(t, ids, 6, name)
			for _, process := range kept.processes() {
				if name == "processor" { // It knows nothing of them.
					assert.Zero(t, process)
				} else {
					assert.Equal(t, [2]string{"order", "7"}, process, name)
				}
			}
			for _, id := range ids[:2] {
				assert.Equal(t, sampled.TraceID(), id.TraceID, name)
				assert.True(t, id.SpanID.IsValid(), name)
			}
			for _, id := range ids[2:4] {
				if carried {
					assert.Equal(t, unsampled.TraceID(), id.TraceID, name)
					assert.True(t, id.SpanID.IsValid(), name)
				} else {
					assert.Zero(t, id, name)
				}
			}
			for _, id := range ids[4:] {
				assert.Zero(t, id, "%s: an untraced message", name)
			}
		}
	}
}

// The processor changes nothing about which levels are enabled.
func TestProcessorEnablesNothing(t *testing.T) {
	provider := sdklog.NewLoggerProvider(sdklog.WithProcessor(withoutSentinels{}))
	logger := slog.New(otelslog.NewHandler("orders", otelslog.WithLoggerProvider(provider)))
	assert.False(t, logger.Enabled(t.Context(), slog.LevelError))

	kept := new(memory)
	batching := recording(kept)
	slog.New(otelslog.NewHandler("orders", otelslog.WithLoggerProvider(batching))).
		InfoContext(envelope.Untraced(t.Context()), "line")
	require.NoError(t, batching.Shutdown(t.Context()))
	assert.Equal(t, []trace.SpanContextConfig{{}}, kept.ids())
}

func TestPlainHandlerKeepsAttributes(t *testing.T) {
	var out bytes.Buffer
	logger := written(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
	ctx := trace.ContextWithSpanContext(t.Context(),
		trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}}))
	logger.With("service", "orders").InfoContext(ctx, "line")
	logger.With("service", "orders").InfoContext(envelope.Untraced(ctx), "line")
	logger.WithGroup("order").InfoContext(envelope.Untraced(ctx), "line", "id", 7)
	assert.Equal(t, "level=INFO msg=line service=orders trace_id=01000000000000000000000000000000 span_id=0200000000000000\n"+
		"level=INFO msg=line service=orders\n"+
		"level=INFO msg=line order.id=7\n", out.String())
}
