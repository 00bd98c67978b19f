// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/waybill-go/waybill/examples/guild/internal/app"
	"github.com/waybill-go/waybill/internal/otlptest"
)

// quick runs the example once, with few sessions and posts.
func quick(t *testing.T, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	args = append([]string{"-once", "-sessions", "10", "-slow", "0", "-posts", "2"}, args...)
	require.Zero(t, app.Main(t.Context(), args, &out, &errOut), errOut.String())
	return out.String(), errOut.String()
}

const spansRecorded = `(\d+) spans recorded`

// The standard variables decide whether spans are exported, and how.
func TestTheEnvironmentDecidesOnExports(t *testing.T) {
	t.Run("OTLP over HTTP", func(t *testing.T) {
		var spans atomic.Int64
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			assert.Equal(t, "/v1/traces", r.URL.Path)
			assert.Equal(t, "application/x-protobuf", r.Header.Get("Content-Type"))
			body, err := io.ReadAll(r.Body)
			assert.NoError(t, err)
			spans.Add(spansOf(t, body))
		}))
		defer server.Close()
		t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
		t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
		out, errOut := quick(t)
		assert.Empty(t, errOut)
		assert.Contains(t, out, "exporting to "+server.URL+" (http/protobuf)")
		assert.EqualValues(t, numbers(t, out, spansRecorded)[0], spans.Load())
		assert.EqualValues(t, spans.Load(), numbers(t, out, `export: (\d+) spans exported\n`)[0])
	})
	receiver := otlptest.New(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+receiver.Endpoint())
	t.Run("none", func(t *testing.T) {
		t.Setenv("OTEL_TRACES_EXPORTER", "none")
		out, errOut := quick(t)
		assert.Empty(t, errOut)
		assert.NotContains(t, out, "export")
		assert.NotZero(t, numbers(t, out, spansRecorded)[0], "for the page")
		assert.Empty(t, receiver.Spans())
	})
	t.Run("disabled", func(t *testing.T) {
		t.Setenv("OTEL_SDK_DISABLED", "true")
		out, errOut := quick(t)
		assert.Empty(t, errOut)
		assert.Contains(t, out, "nothing is traced, by OTEL_SDK_DISABLED")
		assert.Contains(t, out, "sampling: no traced broadcast")
		assert.Contains(t, out, "30 messages accepted, 30 handled")
		assert.Empty(t, receiver.Spans())
	})
	t.Run("console", func(t *testing.T) {
		t.Setenv("OTEL_TRACES_EXPORTER", "console")
		out, errOut := quick(t)
		assert.Empty(t, errOut)
		assert.EqualValues(t, numbers(t, out, spansRecorded)[0], strings.Count(out, "\n{\"Name\":"))
		assert.Empty(t, receiver.Spans())
	})
	t.Run("two", func(t *testing.T) {
		t.Setenv("OTEL_TRACES_EXPORTER", "otlp, console")
		t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
		out, errOut := quick(t)
		assert.Empty(t, errOut)
		recorded := numbers(t, out, spansRecorded)[0]
		assert.EqualValues(t, recorded, strings.Count(out, "\n{\"Name\":"))
		assert.Len(t, receiver.Spans(), int(recorded))
	})
}

func spansOf(t *testing.T, body []byte) (n int64) {
	t.Helper()
	var request collector.ExportTraceServiceRequest
	assert.NoError(t, proto.Unmarshal(body, &request))
	for _, r := range request.GetResourceSpans() {
		for _, s := range r.GetScopeSpans() {
			n += int64(len(s.GetSpans()))
		}
	}
	return n
}

// What is wrong in the environment is said once, and truly, and is no reason not to
// start.
func TestWhatIsWrongInTheEnvironmentIsSaid(t *testing.T) {
	receiver := otlptest.New(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+receiver.Endpoint())
	for _, test := range []struct{ name, value, said string }{
		{"OTEL_TRACES_SAMPLER", "sometimes", "OTEL_TRACES_SAMPLER: unsupported sampler: sometimes; every post is sampled"},
		{"OTEL_RESOURCE_ATTRIBUTES", "a=1,b,c=3", "OTEL_RESOURCE_ATTRIBUTES is left out in part: error detecting resource: partial resource: missing value: [b]"},
		{"OTEL_RESOURCE_ATTRIBUTES", strings.Repeat("b", 1000), "OTEL_RESOURCE_ATTRIBUTES is left out in part: "},
		{"OTEL_RESOURCE_ATTRIBUTES", "a=%zz", `telemetry: invalid URL escape "%zz"`},
		{"OTEL_TRACES_EXPORTER", "zipkin,otlp", `OTEL_TRACES_EXPORTER: there is no "zipkin" here`},
		{"OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", `OTEL_EXPORTER_OTLP_PROTOCOL: there is no "http/json" here, but grpc and http/protobuf: it is grpc`},
		{"OTEL_SDK_DISABLED", "1", `OTEL_SDK_DISABLED is neither true nor false, but "1": the SDK is not disabled`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv(test.name, test.value)
			before := len(receiver.Spans())
			out, errOut := quick(t)
			assert.Equal(t, 1, strings.Count(errOut, "\n"), errOut)
			assert.Contains(t, errOut, "guild: warning: "+test.said)
			assert.Less(t, len(errOut), 400)
			exported := len(receiver.Spans()) - before
			assert.EqualValues(t, numbers(t, out, spansRecorded)[0], exported, "they are exported all the same")
			assert.Contains(t, out, "2 traced broadcasts")
		})
	}
	t.Run("of another sampler", func(t *testing.T) {
		t.Setenv("OTEL_TRACES_SAMPLER", "sometimes")
		_, errOut := quick(t, "-sample", "0.5")
		assert.Empty(t, errOut, "it is not asked for")
	})
	t.Run("of a good sampler", func(t *testing.T) {
		t.Setenv("OTEL_TRACES_SAMPLER", "always_on")
		t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "a=%zz,b")
		_, errOut := quick(t)
		assert.NotContains(t, errOut, "OTEL_TRACES_SAMPLER")
		assert.Equal(t, 2, strings.Count(errOut, "\n"), errOut)
	})
	t.Run("argument", func(t *testing.T) {
		t.Setenv("OTEL_TRACES_SAMPLER", "traceidratio")
		t.Setenv("OTEL_TRACES_SAMPLER_ARG", "half")
		out, errOut := quick(t)
		assert.Contains(t, errOut, "OTEL_TRACES_SAMPLER: parsing sampler argument: ")
		assert.Contains(t, out, "2 traced broadcasts")
	})
}

// slow is a collector that takes nothing until it is let, or refuses everything.
type slow struct {
	collector.UnimplementedTraceServiceServer

	let   chan struct{}
	err   error
	spans atomic.Int64
}

func (s *slow) Export(ctx context.Context, r *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	select {
	case <-s.let:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s.err != nil {
		return nil, s.err
	}
	for _, r := range r.GetResourceSpans() {
		for _, scope := range r.GetScopeSpans() {
			s.spans.Add(int64(len(scope.GetSpans())))
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

// collect serves s and has the example export there.
func collect(t *testing.T, s *slow) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer()
	collector.RegisterTraceServiceServer(server, s)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		assert.NoError(t, <-served)
	})
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+listener.Addr().String())
}

// A collector that is too slow costs spans and nothing else, and each is accounted
// for.
func TestSpansThatASlowCollectorCostsAreCounted(t *testing.T) {
	s := &slow{let: make(chan struct{})}
	collect(t, s)
	t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", "16")
	for _, name := range []string{"OTEL_BSP_EXPORT_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"} {
		t.Setenv(name, "60000") // Milliseconds. It takes everything in the end.
	}
	e := start(t, "-sessions", "50", "-slow", "0", "-posts", "30")
	var live struct{ Exported, Failed, Dropped, Waiting int64 }
	resp, err := http.Get("http://" + e.ops + "/exports")
	require.NoError(t, err)
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&live))
	require.NoError(t, resp.Body.Close())
	http.DefaultClient.CloseIdleConnections()
	assert.Zero(t, live.Exported)
	assert.Positive(t, live.Dropped)
	assert.LessOrEqual(t, live.Waiting, int64(3*16))

	close(s.let)
	r := e.finish()
	said := numbers(t, e.stdout.String(), `export: (\d+) spans exported, (\d+) dropped since the queue was full\n`)
	assert.EqualValues(t, s.spans.Load(), said[0])
	assert.EqualValues(t, r.Summary.Spans, said[0]+said[1])
	assert.Equal(t, "guild: warning: spans are dropped, since the collector takes them too slowly\n", e.stderr.String())
}

// What a collector says of its errors does nothing to the terminal.
func TestErrorsOfCollectorsAreMadePrintable(t *testing.T) {
	s := &slow{let: make(chan struct{})}
	close(s.let)
	s.err = status.Error(codes.InvalidArgument, "\x1b[2J\x1b]0;title\x07\r\nguild: all is well\u202e\u0085"+strings.Repeat("x", 5000))
	collect(t, s)
	out, errOut := quick(t)
	assert.Equal(t, 1, strings.Count(errOut, "\n"), "%q", errOut)
	assert.Contains(t, errOut, "guild: warning: spans are not exported: ")
	assert.Contains(t, errOut, "all is well", "what can be shown is")
	assert.Less(t, len(errOut), 400)
	for _, r := range strings.TrimSuffix(errOut, "\n") {
		assert.True(t, r >= ' ' && r < 0x7f || r == '…' || r == '\uFFFD', "%q", r)
	}
	assert.Regexp(t, `export: 0 spans exported, \d+ failed\n`, out)
}
