// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/cmd/waybill-viewer/internal/app"
	"github.com/waybill-go/waybill/internal/traces/otlpjson"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 30 * time.Second

// output is what a program prints. It can be read while the program runs.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// find waits until the output matches, and returns the first group of the expression.
func (o *output) find(t *testing.T, expression string) string {
	t.Helper()
	var found []string
	require.Eventually(t, func() bool {
		found = regexp.MustCompile(expression).FindStringSubmatch(o.String())
		return found != nil
	}, patience, 5*time.Millisecond, "%s", expression)
	return found[1]
}

// program is a viewer that runs.
type program struct {
	out, err   output
	page       string // the URL without a slash at its end
	grpc, http string
	end        context.CancelFunc
	code       chan int
}

// anywhere are flags that listen on free ports.
var anywhere = []string{"-addr", "127.0.0.1:0", "-grpc", "127.0.0.1:0", "-http", "127.0.0.1:0"}

// start starts a viewer, and waits until it serves the page. It ends with the test.
func start(t *testing.T, stdin io.Reader, args ...string) *program {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &program{end: cancel, code: make(chan int, 1)}
	go func() { p.code <- app.Main(ctx, args, stdin, &p.out, &p.err) }()
	t.Cleanup(func() {
		cancel()
		http.DefaultClient.CloseIdleConnections()
	})
	p.page = p.out.find(t, `on (http://\S+)/\n`)
	return p
}

// receiving starts a viewer with free ports.
func receiving(t *testing.T, args ...string) *program {
	t.Helper()
	p := start(t, nil, append(anywhere, args...)...)
	p.grpc = p.out.find(t, `gRPC: OTEL_EXPORTER_OTLP_ENDPOINT=(http://\S+)\n`)
	p.http = p.out.find(t, `HTTP: OTEL_EXPORTER_OTLP_ENDPOINT=(http://\S+)\n`)
	return p
}

// stop ends the program, and checks that it ends in time and well.
func (p *program) stop(t *testing.T) {
	t.Helper()
	p.end()
	select {
	case code := <-p.code:
		assert.Zero(t, code, "%s", p.err.String())
	case <-time.After(patience):
		t.Fatal("the viewer does not end")
	}
}

// get reads JSON from the page.
func (p *program) get(t *testing.T, path string, to any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.page+path, nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.NoError(t, json.NewDecoder(response.Body).Decode(to))
}

type listed struct {
	Traces []struct {
		ID      string `json:"trace_id"`
		Name    string `json:"name"`
		Service string `json:"service"`
		Spans   int    `json:"spans"`
	} `json:"traces"`
}

// spansShown returns how many spans the page lists.
func (p *program) spansShown(t *testing.T) int {
	t.Helper()
	var list listed
	p.get(t, "/api/traces", &list)
	n := 0
	for _, each := range list.Traces {
		n += each.Spans
	}
	return n
}

// once runs a command to its end, and returns its exit code and what it printed.
func once(t *testing.T, stdin string, args ...string) (code int, out, err string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var stdout, stderr output
	code = app.Main(ctx, args, strings.NewReader(stdin), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

// order returns the spans of a trace: a request, and the message that it sends.
func order(name string, id byte) []sdktrace.ReadOnlySpan {
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	context := func(span byte) trace.SpanContext {
		return trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: trace.TraceID{id, 0xff}, SpanID: trace.SpanID{span}, TraceFlags: trace.FlagsSampled,
		})
	}
	service := func(name string) *resource.Resource {
		return resource.NewSchemaless(attribute.String("service.name", name))
	}
	return tracetest.SpanStubs{
		{
			Name: name, SpanContext: context(1), SpanKind: trace.SpanKindServer, Resource: service("shop"),
			StartTime: begin, EndTime: begin.Add(10 * time.Millisecond),
		},
		{
			Name: "stock Reserve", SpanContext: context(2), Parent: context(1), SpanKind: trace.SpanKindConsumer, Resource: service("stock"),
			StartTime: begin.Add(90 * time.Millisecond), EndTime: begin.Add(100 * time.Millisecond),
			Status:     sdktrace.Status{Code: codes.Error, Description: "sold out"},
			Attributes: []attribute.KeyValue{attribute.Float64("waybill.queue.duration", 0.08)},
		},
	}.Snapshots()
}

func asFile(t *testing.T, spans ...[]sdktrace.ReadOnlySpan) string {
	t.Helper()
	var out bytes.Buffer
	for _, each := range spans {
		require.NoError(t, otlpjson.Write(&out, each))
	}
	return out.String()
}
