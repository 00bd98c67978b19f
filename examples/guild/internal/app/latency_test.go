// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app_test

import (
	"bytes"
	"io"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/examples/guild/internal/app"
)

// slowFor is so much longer than what counts as slow that every slow delivery does: the
// mailbox times what is not traced by a clock that lags by some 20 ms while all processors
// are busy.
const slowFor = "200ms"

// What the few spans say of all deliveries is near the truth. Each slow one left
// a span, and there are no more than may leave one.
func TestEstimatesAreHeldAgainstTheTruth(t *testing.T) {
	out := once(t, "-sessions", "500", "-slow", "4", "-slow-for", slowFor, "-posts", "10")
	slow := numbers(t, out, `slow deliveries +(\S+) ± (\S+) +(\S+)`)
	assert.GreaterOrEqual(t, slow[2], 40.0, "the slow sessions took that long")
	// A busy machine delays some of the 5,000 outside their handlers, and a coarse
	// clock lags there.
	assert.GreaterOrEqual(t, slow[0]+5*slow[1], slow[2]/4)
	assert.LessOrEqual(t, slow[0]-5*slow[1], 2500.0)
	p50 := numbers(t, out, `p50 +(\S+) ± \S+ ms +(\S+) ms`)
	median, medianCounted := p50[0], p50[1]
	assert.Greater(t, median, 0.0)
	assert.Greater(t, medianCounted, 0.0)
	// Ten posts are few where a busy machine delays some of them as a whole: the
	// estimates' own tests are narrow, this is to see that they are put to use.
	assert.Less(t, math.Abs(math.Log10(median/medianCounted)), 1.5, "%v for %v", median, medianCounted)
}

// Where more deliveries are slow than may leave a span, those that do stand for
// the rest.
func TestSlowDeliveriesAreEstimatedWhereThereAreMany(t *testing.T) {
	out := once(t, "-sessions", "100", "-slow", "50", "-slow-for", slowFor, "-posts", "20")
	slow := numbers(t, out, `slow deliveries +(\S+) ± (\S+) +(\S+)`)
	assert.GreaterOrEqual(t, slow[2], 1000.0)
	assert.Greater(t, slow[1], 0.0, "it is an estimate")
	// Six standard errors: one run in a hundred million. A quarter more for what a
	// busy machine and a coarse clock take for slow.
	assert.InDelta(t, slow[2], slow[0], 6*slow[1]+slow[2]/4)
	spans := numbers(t, out, `estimated from (\d+) spans`)
	assert.Less(t, spans[0], 700.0, "a hundred at once and ten a second, and the 200 that were chosen")
}

// once runs the example and returns what it printed.
func once(t *testing.T, args ...string) string {
	t.Helper()
	var out, errOut bytes.Buffer
	code := app.Main(t.Context(), append([]string{"-once"}, args...), &out, &errOut)
	require.Zero(t, code, errOut.String())
	return out.String()
}

// numbers returns those that pattern finds in out.
func numbers(t *testing.T, out, pattern string) (found []float64) {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(out)
	require.NotNil(t, m, "no %q in:\n%s", pattern, out)
	for _, s := range m[1:] {
		n, err := strconv.ParseFloat(s, 64)
		require.NoError(t, err)
		found = append(found, n)
	}
	return found
}

// The configuration of what is traced can be seen and changed.
func TestTracingIsControlled(t *testing.T) {
	e := start(t, "-sessions", "20", "-slow", "0", "-posts", "0")
	status, shown := e.tracing(http.MethodGet, "")
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, shown, `"slower_than": "10ms"`)
	status, _ = e.tracing(http.MethodPut, `{"kinds": {"guild": {"no_spans": "yes"}}}`)
	assert.Equal(t, http.StatusBadRequest, status)
	status, shown = e.tracing(http.MethodPut, `{"kinds": {"guild": {"no_spans": true}}}`)
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, shown, `"no_spans": true`)

	status, a := e.post("1", `{"author":"ann","content":"quietly"}`)
	require.Equal(t, http.StatusCreated, status, a.Error)
	var names []string
	for _, span := range e.finish().Traces[0].Spans {
		names = append(names, span.Name)
	}
	assert.NotContains(t, names, "guild Publish")
	assert.Contains(t, names, "broadcast sessions", "the trace goes on")
}

// tracing asks for the configuration of what is traced, or changes it.
func (e *example) tracing(method, body string) (status int, shown string) {
	e.t.Helper()
	defer http.DefaultClient.CloseIdleConnections()
	req, err := http.NewRequestWithContext(e.t.Context(), method, "http://"+e.ops+"/tracing", strings.NewReader(body))
	require.NoError(e.t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(e.t, err)
	answer, err := io.ReadAll(resp.Body)
	require.NoError(e.t, err)
	require.NoError(e.t, resp.Body.Close())
	return resp.StatusCode, string(answer)
}
