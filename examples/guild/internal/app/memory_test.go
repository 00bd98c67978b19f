// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app_test

import (
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/examples/guild/internal/app"
	"github.com/waybill-go/waybill/internal/traces"
)

// Clients that do not take their messages leave spans of that at a bounded rate:
// memory does not follow what they refuse.
func TestRefusedDeliveriesLeaveFewSpans(t *testing.T) {
	const sessions, posts = 300, 600
	e := start(t, "-sessions", "300", "-slow", "300", "-posts", "0")
	missed := int64(0)
	for range posts {
		status, a := e.post("1", `{"content":"x"}`)
		assert.Equal(t, http.StatusCreated, status)
		missed += a.Recipients - a.Delivered
	}
	r := e.finish()
	t.Logf("%d of %d deliveries refused, %d spans", missed, sessions*posts, r.Summary.Spans)
	// Of each post some twenty spans; and of late ones two times ten
	// a second, and ten seconds' worth at once.
	assert.Less(t, r.Summary.Spans, posts*25)
}

// Whoever repeats one traceparent gets no trace without an end: each post has its
// own, of which the latest are kept, in bounded memory.
func TestARepeatedTraceparentTakesNoMemory(t *testing.T) {
	const posts, grown = 2500, 28 << 20
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	e := start(t, "-sessions", "150", "-slow", "0", "-posts", "0", "-report", "")
	client := &http.Client{}
	defer client.CloseIdleConnections()
	before := heap()
	for range posts {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
			"http://"+e.api+"/guilds/1/messages", strings.NewReader(`{"content":"x"}`))
		require.NoError(t, err)
		req.Header.Set("traceparent", "00-"+theirTrace+"-"+theirSpan+"-01")
		resp, err := client.Do(req)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusCreated, resp.StatusCode)
	}
	used := heap() - before
	t.Logf("%d posts take %d MiB", posts, used>>20)
	assert.Less(t, used, int64(grown))
	assert.Equal(t, http.StatusNotFound, e.visit(http.MethodGet, "/console/api/traces/"+theirTrace, e.api, ""))
	e.stop()
	<-e.done
	assert.Zero(t, e.code, e.stderr.String())
}

// A report that leaves spans out says so.
func TestReportsSayWhatTheyLeaveOut(t *testing.T) {
	app.SetKeptForReport(t, traces.Config{Bytes: 1 << 20, Spans: 5})
	e := start(t, "-sessions", "20", "-slow", "0", "-posts", "6")
	r := e.finish()
	require.Len(t, r.Traces, 6)
	spans := 0
	for _, trace := range r.Traces {
		spans += len(trace.Spans)
	}
	assert.LessOrEqual(t, spans, 6*(5+1), "of each trace five and its root")
	assert.Equal(t, r.Summary.Spans-spans, r.Summary.SpansLeftOut)
	assert.Positive(t, r.Summary.SpansLeftOut)
	assert.Contains(t, e.stdout.String(), "spans, to keep memory bounded")
	assert.Contains(t, e.stdout.String(), "6 traced broadcasts to 120 recipients", "whatever is kept")
}
