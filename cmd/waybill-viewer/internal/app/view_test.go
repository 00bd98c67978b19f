// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// TestServicesThatExportAreShown sets the variable that users set, and nothing else.
func TestServicesThatExportAreShown(t *testing.T) {
	p := receiving(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", p.grpc)
	overGRPC, err := otlptracegrpc.New(t.Context())
	require.NoError(t, err)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", p.http)
	overHTTP, err := otlptracehttp.New(t.Context())
	require.NoError(t, err)
	require.NoError(t, overGRPC.ExportSpans(t.Context(), order("over gRPC", 1)))
	require.NoError(t, overHTTP.ExportSpans(t.Context(), order("over HTTP", 2)))
	require.NoError(t, overGRPC.Shutdown(t.Context()))
	require.NoError(t, overHTTP.Shutdown(t.Context()))

	var list listed
	p.get(t, "/api/traces", &list)
	require.Len(t, list.Traces, 2)
	for i, want := range []string{"over HTTP", "over gRPC"} {
		assert.Equal(t, want, list.Traces[i].Name)
		assert.Equal(t, "shop", list.Traces[i].Service)
		assert.Equal(t, 2, list.Traces[i].Spans)
	}
	p.stop(t)
	assert.Contains(t, p.out.String(), "Received 4 spans.\n")
	assert.Empty(t, p.err.String())
}

func TestMetricsAreToldOfOnce(t *testing.T) {
	p := receiving(t)
	for range 3 {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.http+"/v1/metrics", strings.NewReader("{}"))
		require.NoError(t, err)
		request.Header.Set("Content-Type", "application/json")
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		response.Body.Close()
		assert.Equal(t, http.StatusOK, response.StatusCode)
	}
	p.stop(t)
	assert.Equal(t, 1, strings.Count(p.out.String(), "Metrics arrive"))
	assert.Contains(t, p.out.String(), "Received 0 spans, 3 requests with metrics, logs or profiles thrown away.")
}

func TestWhatWasReceivedIsSaved(t *testing.T) {
	name := filepath.Join(t.TempDir(), "saved.json")
	p := receiving(t, "-save", name)
	exporter, err := otlptracehttp.New(t.Context(), otlptracehttp.WithEndpointURL(p.http+"/v1/traces"))
	require.NoError(t, err)
	require.NoError(t, exporter.ExportSpans(t.Context(), order("saved", 1)))
	require.NoError(t, exporter.Shutdown(t.Context()))
	p.stop(t)
	assert.Contains(t, p.out.String(), "2 spans written to "+name)
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	for line := range strings.Lines(asFile(t, order("saved", 1)[:1], order("saved", 1)[1:])) {
		_, span, _ := strings.Cut(line, `"spans":[`) // Exporters order the services as they like.
		assert.Contains(t, string(text), strings.TrimRight(span, "]}\n"))
	}
	assert.Equal(t, 1, strings.Count(string(text), "\n"))

	again := start(t, nil, "-addr", "127.0.0.1:0", name)
	require.Eventually(t, func() bool { return again.spansShown(t) == 2 }, patience, 5*time.Millisecond)
	again.stop(t)
}

func TestFilesAreShown(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.json")
	require.NoError(t, os.WriteFile(name, []byte(asFile(t, order("of a file", 1))), 0o600))
	merged := filepath.Join(t.TempDir(), "merged.json")
	p := start(t, strings.NewReader(asFile(t, order("of stdin", 2))), "-addr", "127.0.0.1:0", "-save", merged, name, "-")
	require.Eventually(t, func() bool { return p.spansShown(t) == 4 }, patience, 5*time.Millisecond)
	p.stop(t)
	assert.NotContains(t, p.out.String(), "OTLP over", "with files nothing is received")
	assert.Contains(t, p.out.String(), "Read "+name+", -.\n")
	again := start(t, nil, "-addr", "127.0.0.1:0", merged)
	require.Eventually(t, func() bool { return again.spansShown(t) == 4 }, patience, 5*time.Millisecond)
	again.stop(t)

	p = start(t, nil, append(anywhere, name)...)
	p.out.find(t, `(OTLP over gRPC)`)
	p.out.find(t, `(OTLP over HTTP)`)
	p.stop(t)
}

func TestAFileWithAnErrorIsShownUpToThere(t *testing.T) {
	good := asFile(t, order("good", 1))
	p := start(t, strings.NewReader(good+good[:40]), "-addr", "127.0.0.1:0", "-")
	p.err.find(t, `(-: at byte \d+: unexpected EOF; the 2 spans before that are shown)`)
	assert.Equal(t, 2, p.spansShown(t))
	p.stop(t)
}

func TestAnEndlessInputIsLeft(t *testing.T) {
	in, out := io.Pipe()
	p := start(t, in, "-addr", "127.0.0.1:0", "-")
	_, err := io.WriteString(out, asFile(t, order("a", 1)))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return p.spansShown(t) == 2 }, patience, 5*time.Millisecond)
	p.stop(t)
	require.NoError(t, out.Close())
}

func TestMistakesGiveOneLine(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.json")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	metrics := filepath.Join(dir, "metrics.json")
	require.NoError(t, os.WriteFile(metrics, []byte(`{"resourceMetrics":[{}]}`), 0o600))
	text := filepath.Join(dir, "text")
	require.NoError(t, os.WriteFile(text, []byte("hello"), 0o600))
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"-x"}, 2, "flag provided but not defined: -x; -h lists the flags"},
		{[]string{"-memory", "many"}, 2, "it is not a number of bytes such as 64MiB"},
		{[]string{"-memory", "-1"}, 2, "it is not a number of bytes"},
		{[]string{"-memory", "NaN"}, 2, "it is not a number of bytes"},
		{[]string{"-memory", "1e300"}, 2, "it is not a number of bytes"},
		{[]string{"-memory", "1 KiB"}, 2, "-memory 1 KiB is less than 1 MiB"},
		{[]string{"-grpc", "", "-http", ""}, 2, "there is nothing to show"},
		{[]string{"-addr", ""}, 2, "-addr is empty"},
		{[]string{"-grpc", "4317"}, 1, `-grpc: "4317" is not an address: use HOST:PORT`},
		{append(anywhere, "-grpc", taken.Addr().String()), 1, "another program listens on " + taken.Addr().String() + "; choose another address with -grpc"},
		{append(anywhere, "-http", taken.Addr().String()), 1, "choose another address with -http"},
		{append(anywhere, "-addr", taken.Addr().String()), 1, "choose another address with -addr"},
		{append(anywhere, "-save", dir), 1, "is not a file"},
		{append(anywhere, "-save", filepath.Join(dir, "none", "a")), 1, "no such file"},
		{[]string{filepath.Join(dir, "none")}, 1, "there is no file " + filepath.Join(dir, "none")},
		{[]string{dir}, 1, "is a directory"},
		{[]string{"-", "-"}, 2, "- is given twice"},
		{append(anywhere, empty), 1, empty + ": it has no spans"},
		{append(anywhere, metrics), 1, "but metrics or logs, which are not shown"},
		{append(anywhere, text), 1, text + ": at byte 0: invalid character 'h'"},
		{[]string{"print"}, 2, "print needs a FILE"},
		{[]string{"print", "-trace", "xyz", text}, 2, `-trace "xyz" is not an ID`},
		{[]string{"print", "-trace", strings.Repeat("0", 33), text}, 2, `is not an ID`},
		{[]string{"print", "-width", "-1", text}, 2, "-width -1 is negative"},
		{[]string{"print", "-memory", "0", text}, 2, "-memory 0 B is less than"},
		{[]string{"print", text}, 1, "invalid character"},
		{[]string{"print", empty}, 1, "it has no spans"},
	} {
		code, _, err := once(t, "", test.args...)
		assert.Equal(t, test.code, code, "%q: %s", test.args, err)
		assert.Contains(t, err, test.want)
		assert.True(t, strings.HasPrefix(err, "waybill-viewer: "), err)
		assert.Equal(t, 1, strings.Count(err, "\n"), err)
	}
}

func TestHelpListsTheFlags(t *testing.T) {
	code, out, err := once(t, "", "-h")
	assert.Zero(t, code)
	assert.Empty(t, err)
	for _, flag := range []string{"-grpc", "-http", "-addr", "-memory", "-save", "print", "64 MiB", "localhost:4317"} {
		assert.Contains(t, out, flag)
	}
	code, out, err = once(t, "", "print", "-h")
	assert.Zero(t, code)
	assert.Empty(t, err)
	assert.Contains(t, out, "-trace ID")
}

// TestThePageMayHaveAnotherPort takes the default one, if no other program has.
func TestThePageMayHaveAnotherPort(t *testing.T) {
	if taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:4319"); err == nil {
		defer taken.Close()
	}
	p := start(t, nil, anywhere[2:]...)
	assert.False(t, strings.HasSuffix(p.page, ":4319"), p.page)
	assert.Zero(t, p.spansShown(t))
	p.stop(t)
}

func TestLocalhostIsBothVersionsOfIP(t *testing.T) {
	p := start(t, nil, "-addr", "localhost:0", "-grpc", "", "-http", "127.0.0.1:0")
	_, port, err := net.SplitHostPort(strings.TrimPrefix(p.page, "http://"))
	require.NoError(t, err)
	if conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", net.JoinHostPort("::1", port)); err != nil {
		t.Log("this machine has no IPv6:", err)
	} else {
		require.NoError(t, conn.Close())
	}
	p.stop(t)
	assert.Empty(t, p.err.String())
}

func TestOtherMachinesAreWarnedOf(t *testing.T) {
	p := start(t, nil, "-addr", "127.0.0.1:0", "-grpc", "", "-http", "0.0.0.0:0")
	p.err.find(t, `(warning: other machines can reach \S+:\d+)`)
	p.stop(t)
	assert.Equal(t, 1, strings.Count(p.err.String(), "warning"))
}

// TestItEndsInTimeWithConnectionsOpen leaves requests of each kind unfinished.
func TestItEndsInTimeWithConnectionsOpen(t *testing.T) {
	p := receiving(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.page+"/api/traces/events", nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	_, err = bufio.NewReader(response.Body).ReadString('\n')
	require.NoError(t, err, "the page watches")
	for _, address := range []string{p.grpc, p.http, p.page} {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(address, "http://"))
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
		_, err = fmt.Fprint(conn, "POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{")
		require.NoError(t, err)
	}
	begun := time.Now()
	p.stop(t)
	assert.Less(t, time.Since(begun), patience/2)
}

// TestMemoryStaysWithinItsBound exports more than fits.
func TestMemoryStaysWithinItsBound(t *testing.T) {
	const memory, exports, each = 1 << 20, 40, 200
	p := receiving(t, "-memory", "1MiB")
	exporter, err := otlptracegrpc.New(t.Context(), otlptracegrpc.WithEndpointURL(p.grpc))
	require.NoError(t, err)
	defer func() { assert.NoError(t, exporter.Shutdown(context.Background())) }()
	for i := range exports {
		var spans tracetest.SpanStubs
		for j := range each {
			spans = append(spans, tracetest.SpanStub{
				Name: strings.Repeat("n", 900),
				SpanContext: trace.NewSpanContext(trace.SpanContextConfig{
					TraceID: trace.TraceID{byte(i + 1), byte(j)}, SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled,
				}),
				StartTime: time.Now(), EndTime: time.Now(),
			})
		}
		require.NoError(t, exporter.ExportSpans(t.Context(), spans.Snapshots()))
	}
	var about struct {
		Totals struct {
			Seen     int `json:"seen"`
			Bytes    int `json:"bytes"`
			MaxBytes int `json:"max_bytes"`
		} `json:"totals"`
	}
	p.get(t, "/api/about", &about)
	assert.Equal(t, exports*each, about.Totals.Seen)
	assert.LessOrEqual(t, about.Totals.Bytes, memory)
	assert.NotZero(t, about.Totals.Bytes)
	p.stop(t)
}
