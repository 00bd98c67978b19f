// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package otlpreceive_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/otlpreceive"
)

// sink keeps what a receiver gives it.
type sink struct {
	mu    sync.Mutex
	spans []sdktrace.ReadOnlySpan
}

func (s *sink) take(spans []sdktrace.ReadOnlySpan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spans = append(s.spans, spans...)
}

func (s *sink) all() []sdktrace.ReadOnlySpan {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.spans)
}

// quiet tells nobody.
func quiet(string) {}

// serveGRPC serves r until the test ends, and returns its address.
func serveGRPC(t *testing.T, r *otlpreceive.Receiver) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := r.GRPC()
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		assert.NoError(t, <-served)
	})
	return listener.Addr().String()
}

// serveHTTP serves r until the test ends.
func serveHTTP(t *testing.T, r *otlpreceive.Receiver) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(r.HTTP())
	t.Cleanup(server.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return server
}

// exporters returns one of each kind that Go's SDK has. They export to r.
func exporters(t *testing.T, r *otlpreceive.Receiver) map[string]sdktrace.SpanExporter {
	t.Helper()
	overGRPC, overHTTP := serveGRPC(t, r), serveHTTP(t, r).URL
	all := map[string]sdktrace.SpanExporter{}
	add := func(name string, e sdktrace.SpanExporter, err error) {
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, e.Shutdown(context.Background())) })
		all[name] = e
	}
	e, err := otlptracegrpc.New(t.Context(), otlptracegrpc.WithEndpoint(overGRPC), otlptracegrpc.WithInsecure())
	add("gRPC", e, err)
	e, err = otlptracegrpc.New(t.Context(), otlptracegrpc.WithEndpointURL("http://"+overGRPC), otlptracegrpc.WithCompressor("gzip"))
	add("gRPC with gzip", e, err)
	e, err = otlptracehttp.New(t.Context(), otlptracehttp.WithEndpointURL(overHTTP+"/v1/traces"))
	add("HTTP", e, err)
	e, err = otlptracehttp.New(t.Context(), otlptracehttp.WithEndpointURL(overHTTP+"/v1/traces"),
		otlptracehttp.WithCompression(otlptracehttp.GzipCompression))
	add("HTTP with gzip", e, err)
	return all
}

// recorded returns spans of Go's SDK that have something in every field.
func recorded(t *testing.T) []sdktrace.ReadOnlySpan {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	tracer := sdktrace.NewTracerProvider(
		sdktrace.WithSpanProcessor(recorder),
		sdktrace.WithResource(resource.NewWithAttributes("https://example.com/a", attribute.String("service.name", "shop"))),
	).Tracer("till", trace.WithInstrumentationVersion("v1"), trace.WithInstrumentationAttributes(attribute.Int("n", 1)),
		trace.WithSchemaURL("https://example.com/b"))
	ctx, parent := tracer.Start(t.Context(), "parent", trace.WithSpanKind(trace.SpanKindServer))
	_, child := tracer.Start(ctx, "child", trace.WithTimestamp(time.Unix(1_700_000_000, 5).UTC()),
		trace.WithLinks(trace.Link{SpanContext: parent.SpanContext(), Attributes: []attribute.KeyValue{attribute.Bool("b", true)}}),
		trace.WithAttributes(
			attribute.String("s", "x"), attribute.Float64("f", 0.5), attribute.StringSlice("l", []string{"y", "z"}),
			attribute.Map("m", attribute.Int("i", 1), attribute.Slice("mixed", attribute.IntValue(1), attribute.StringValue("x"))),
			attribute.ByteSlice("raw", []byte{0, 1})))
	child.AddEvent("bang", trace.WithTimestamp(time.Unix(1_700_000_001, 0).UTC()), trace.WithAttributes(attribute.Int("n", 1)))
	child.End(trace.WithTimestamp(time.Unix(1_700_000_002, 0).UTC()))
	parent.End()
	return recorder.Ended()
}

// stubs returns the spans in a form that can be compared.
func stubs(spans []sdktrace.ReadOnlySpan) tracetest.SpanStubs {
	all := tracetest.SpanStubsFromReadOnlySpans(spans)
	for i := range all {
		s := &all[i]
		s.StartTime, s.EndTime = s.StartTime.UTC().Round(0), s.EndTime.UTC().Round(0)
		s.ChildSpanCount = 0 // OTLP has no such field.
		slices.SortFunc(s.Attributes, func(a, b attribute.KeyValue) int { return len(a.Key) - len(b.Key) })
		if len(s.Attributes) == 0 {
			s.Attributes = nil
		}
	}
	return all
}

func TestSpansOfRealExportersArrive(t *testing.T) {
	want := recorded(t)
	for name := range exporters(t, otlpreceive.New(func([]sdktrace.ReadOnlySpan) {}, quiet)) {
		t.Run(name, func(t *testing.T) {
			var got sink
			r := otlpreceive.New(got.take, quiet)
			require.NoError(t, exporters(t, r)[name].ExportSpans(t.Context(), want))
			assert.Equal(t, stubs(want), stubs(got.all()))
			assert.Equal(t, otlpreceive.Counts{Spans: 2}, r.Counts())
		})
	}
}

// TestRejectedSpansAreReported checks that an exporter learns of a span that cannot be shown.
func TestRejectedSpansAreReported(t *testing.T) {
	bad := tracetest.SpanStub{Name: "no IDs", StartTime: time.Now(), EndTime: time.Now()}.Snapshot()
	for name := range exporters(t, otlpreceive.New(func([]sdktrace.ReadOnlySpan) {}, quiet)) {
		t.Run(name, func(t *testing.T) {
			var got sink
			r := otlpreceive.New(got.take, quiet)
			err := exporters(t, r)[name].ExportSpans(t.Context(), append(recorded(t), bad))
			assert.ErrorContains(t, err, "of the first rejected span, the trace ID is zero")
			assert.Len(t, got.all(), 2)
			assert.Equal(t, otlpreceive.Counts{Spans: 2, Rejected: 1}, r.Counts())
		})
	}
}

func TestManyExportersAtATime(t *testing.T) {
	const each, exports = 8, 20
	var got sink
	r := otlpreceive.New(got.take, quiet)
	spans := recorded(t)
	var group sync.WaitGroup
	all := exporters(t, r)
	for _, e := range all {
		for range each {
			group.Go(func() {
				for range exports {
					assert.NoError(t, e.ExportSpans(t.Context(), spans))
				}
			})
		}
	}
	group.Wait()
	want := len(all) * each * exports * len(spans)
	assert.Len(t, got.all(), want)
	assert.Equal(t, otlpreceive.Counts{Spans: int64(want)}, r.Counts())
}
