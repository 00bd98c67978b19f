// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app_test

import (
	"bytes"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/examples/guild/internal/app"
	"github.com/waybill-go/waybill/examples/internal/report"
)

func TestBadPostsAreRefusedWithAReason(t *testing.T) {
	e := start(t, "-sessions", "1", "-posts", "0")
	for _, test := range []struct {
		name, guild, body string
		status            int
		reason            string
	}{
		{"empty body", "1", "", http.StatusBadRequest, "not JSON"},
		{"malformed", "1", `{"content":`, http.StatusBadRequest, "not JSON"},
		{"wrong type", "1", `{"content":7}`, http.StatusBadRequest, "not JSON"},
		{"empty content", "1", `{"content":" "}`, http.StatusBadRequest, "no content"},
		{"long author", "1", `{"content":"x","author":"` + strings.Repeat("a", 81) + `"}`, http.StatusBadRequest, "author"},
		{"long content", "1", `{"content":"` + strings.Repeat("é", 2001) + `"}`, http.StatusRequestEntityTooLarge, "2000 characters"},
		{"large body", "1", strings.Repeat(" ", 17<<10), http.StatusRequestEntityTooLarge, "16384 bytes"},
		{"unknown guild", "2", `{"content":"x"}`, http.StatusNotFound, "no guild 2"},
		{"guild without a number", "x", `{"content":"x"}`, http.StatusNotFound, `no guild "x"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, a := e.post(test.guild, test.body)
			assert.Equal(t, test.status, status)
			assert.Contains(t, a.Error, test.reason)
		})
	}
	status, a := e.post("1", `{"content":"the service goes on"}`)
	assert.Equal(t, http.StatusCreated, status)
	assert.EqualValues(t, 1, a.Delivered)
	e.finish()
}

const (
	theirTrace = "0af7651916cd43dd8448eb211c80319c"
	theirSpan  = "b7ad6b7169203331"
)

// What strangers say of their traces decides nothing where no trace is to begin:
// neither a sampled flag nor a budget, a weight or a forced span.
func TestStrangersCannotHaveTracesRecorded(t *testing.T) {
	e := start(t, "-sessions", "50", "-posts", "0", "-sample", "0", "-slow", "0")
	status, _ := e.tracing(http.MethodPut, "{}") // No late spans, which a busy machine might cause.
	require.Equal(t, http.StatusOK, status)
	for _, test := range []struct{ name, traceparent, tracestate string }{
		{"absent", "", ""},
		{"malformed", "00-" + theirTrace + "-" + theirSpan + "-1", ""},
		{"unsampled", "00-" + theirTrace + "-" + theirSpan + "-00", ""},
		{"sampled", "00-" + theirTrace + "-" + theirSpan + "-01", ""},
		{"budget", "00-" + theirTrace + "-" + theirSpan + "-01", "waybill=w:1;p:1;n:1;d:1;b:1000;e:1000"},
		{"weight", "00-" + theirTrace + "-" + theirSpan + "-01", "waybill=w:1e+06;p:1e-06;n:1000000;d:1"},
		{"threshold", "00-" + theirTrace + "-" + theirSpan + "-01", "ot=th:0;rv:00000000000000"},
	} {
		status, a := e.post("1", `{"content":"x"}`, "traceparent", test.traceparent, "tracestate", test.tracestate)
		assert.Equal(t, http.StatusCreated, status, test.name)
		assert.EqualValues(t, 50, a.Delivered, test.name)
		assert.Zero(t, a.Traced, test.name)
	}
	assert.Zero(t, e.finish().Summary.Spans, "no service recorded anything, handlers' own spans included")
}

// Where posts begin traces, each begins its own, whatever it brings, and links to
// what it brought.
func TestStrangersTracesAreLinkedTo(t *testing.T) {
	const posts = 5
	e := start(t, "-sessions", "50", "-posts", "0", "-slow", "0")
	status, _ := e.tracing(http.MethodPut, "{}")
	require.Equal(t, http.StatusOK, status)
	for range posts {
		status, a := e.post("1", `{"content":"x"}`,
			"traceparent", "00-"+theirTrace+"-"+theirSpan+"-00", "tracestate", "waybill=w:1e+06;p:1e-06;n:1000000;d:1;b:1000;e:1000,vendor=x")
		assert.Equal(t, http.StatusCreated, status)
		assert.Equal(t, int64(50), a.Delivered)
	}
	status, _ = e.post("1", `{"content":"x"}`, "traceparent", "00-"+theirTrace+"-"+theirSpan+"-1")
	assert.Equal(t, http.StatusCreated, status)
	r := e.finish()
	require.Len(t, r.Traces, posts+1)
	for i, trace := range r.Traces {
		assert.NotEqual(t, theirTrace, trace.TraceID)
		root := trace.Spans[0]
		assert.Equal(t, "POST /guilds/{guild}/messages", root.Name)
		assert.Empty(t, root.ParentID)
		if i < posts {
			assert.Equal(t, []report.Link{{TraceID: theirTrace, SpanID: theirSpan}}, root.Links)
		} else {
			assert.Empty(t, root.Links, "malformed, which counts as none")
		}
		sum := 0.0
		for _, span := range trace.Spans {
			if span.Name == "session MessageCreate" {
				sum += span.Attributes["waybill.fanout.weight"].(float64)
			}
		}
		assert.InDelta(t, 50, sum, 1e-9, "nothing that they said of weights counts")
	}
}

func TestOnceRunsAndReports(t *testing.T) {
	file := filepath.Join(t.TempDir(), "r.json")
	var out, errOut bytes.Buffer
	code := app.Main(t.Context(),
		[]string{"-once", "-sessions", "150", "-posts", "6", "-guilds", "3", "-report", file}, &out, &errOut)
	require.Zero(t, code, errOut.String())
	assert.Contains(t, out.String(), "connecting sessions: 150 of 150")
	assert.Contains(t, out.String(), "broadcast sessions")
	assert.Contains(t, out.String(), "6 traced broadcasts to 300 recipients")
	r := readReport(t, file)
	assert.EqualValues(t, 300, r.Summary.Delivered)
	require.Len(t, r.Traces, 6)
	spans := 0
	for _, trace := range r.Traces {
		spans += len(trace.Spans)
	}
	assert.Equal(t, spans, r.Summary.Spans)
}

func TestWhatCannotStartSaysWhyInOneLine(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	for _, test := range []struct {
		args []string
		why  string
	}{
		{[]string{"-bogus"}, "bogus"},
		{[]string{"extra"}, `unexpected argument "extra"`},
		{[]string{"-sample", "1.5"}, "-sample"},
		{[]string{"-sample", "NaN"}, "-sample"},
		{[]string{"-sample", "-1"}, "-sample"},
		{[]string{"-guilds", "0"}, "-guilds"},
		{[]string{"-sessions", "-1"}, "-sessions"},
		{[]string{"-slow-for", "-1s"}, "-slow-for"},
		{[]string{"-posts", "-1"}, "-posts"},
		{[]string{"-slow", "-1"}, "-slow"},
		{[]string{"-keep", "0"}, "-keep"},
		{[]string{"-idle", "0s"}, "-idle"},
		{[]string{"-db", t.TempDir()}, "unable to open"},
		{[]string{"-addr", "nowhere"}, "HOST:PORT"},
		{[]string{"-ops", "nowhere"}, "HOST:PORT"},
		{[]string{"-addr", "127.0.0.1:0", "-ops", taken.Addr().String()}, "in use"},
		{[]string{"-addr", taken.Addr().String()}, "in use"},
		{[]string{"-report", filepath.Join(t.TempDir(), "no", "folder")}, "report"},
	} {
		var out, errOut bytes.Buffer
		assert.Equal(t, 2, app.Main(t.Context(), test.args, &out, &errOut), test.args)
		assert.Equal(t, 1, strings.Count(errOut.String(), "\n"), errOut.String())
		assert.Contains(t, errOut.String(), test.why)
		assert.Empty(t, out.String())
	}
}

func TestHelp(t *testing.T) {
	var out, errOut bytes.Buffer
	assert.Zero(t, app.Main(t.Context(), []string{"-h"}, &out, &errOut))
	for _, flag := range []string{
		"-sessions", "-slow", "-posts", "-guilds", "-sample", "-addr", "-names", "-ops", "-once", "-report", "-db", "-keep",
		"-idle", "-faults", "-browser",
	} {
		assert.Contains(t, out.String(), flag)
	}
	assert.Empty(t, errOut.String())
}

func TestACollectorThatIsNotThereCostsOneWarning(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, gone.Close())
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+gone.Addr().String())
	var out, errOut bytes.Buffer
	code := app.Main(t.Context(), []string{"-once", "-sessions", "10", "-posts", "2"}, &out, &errOut)
	assert.Zero(t, code)
	assert.Equal(t, 1, strings.Count(errOut.String(), "\n"), errOut.String())
	assert.Contains(t, errOut.String(), "warning: spans are not exported: no collector at")
}
