// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox/console"
	"github.com/waybill-go/waybill/mailbox/timings"
	"github.com/waybill-go/waybill/sampling"
)

// changeable makes a console whose configuration may be changed, and what it logs.
func changeable(t *testing.T) (*console.Console, *sampling.Control, *bytes.Buffer) {
	t.Helper()
	control, err := sampling.NewControl(sampling.Config{Kinds: map[string]sampling.KindConfig{"session": {SpansPerSecond: 100}}})
	require.NoError(t, err)
	var log bytes.Buffer
	return console.New(console.Config{
		Control: control, AllowChanges: true, Logger: slog.New(slog.NewJSONHandler(&log, nil)),
	}), control, &log
}

// put sends a configuration. Headers are pairs.
func put(t *testing.T, h http.Handler, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPut, "/api/config", strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestConfigIsShown(t *testing.T) {
	con, control, _ := changeable(t)
	w := get(t, con, "/api/config")
	require.Equal(t, http.StatusOK, w.Code)
	assert.Equal(t, "application/json", w.Header().Get("Content-Type"))
	assert.NotEmpty(t, w.Header().Get("ETag"))
	var shown sampling.Config
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &shown))
	assert.Equal(t, control.Config().Kinds, shown.Kinds)

	w = get(t, console.New(console.Config{}), "/api/config")
	assert.Equal(t, http.StatusNotFound, w.Code)
	assert.Contains(t, errorText(t, w), "Config.Control")
}

func TestConfigIsChangedAndLogged(t *testing.T) {
	con, control, log := changeable(t)
	tag := get(t, con, "/api/config").Header().Get("ETag")
	w := put(t, con, `{"kinds":{"session":{"spans_per_second":200}},"default":{"late":{"failures":true}}}`,
		"If-Match", tag, "X-Forwarded-For", "203.0.113.7")
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	assert.NotEqual(t, tag, w.Header().Get("ETag"))
	assert.InDelta(t, 200, control.Config().Kinds["session"].SpansPerSecond, 0)

	var line struct {
		Level, Remote string
		ForwardedFor  string `json:"forwarded_for"`
		Changes       []string
	}
	require.NoError(t, json.Unmarshal(log.Bytes(), &line), log.String())
	assert.Equal(t, "INFO", line.Level)
	assert.Equal(t, "192.0.2.1:1234", line.Remote)
	assert.Equal(t, "203.0.113.7", line.ForwardedFor)
	assert.Equal(t, []string{"default.late.failures: not set -> true", "kinds.session.spans_per_second: 100 -> 200"}, line.Changes)

	tag = w.Header().Get("ETag")
	require.Equal(t, http.StatusOK, put(t, con, `{"kinds":{"quiet\u001b[31m":{}}}`, "If-Match", tag).Code)
	assert.Contains(t, log.String(), `"kinds.quiet\u001b[31m.no_spans: not set -> false"`)
}

func TestManyChangesAreLoggedInPart(t *testing.T) {
	con, _, log := changeable(t)
	kinds := map[string]sampling.KindConfig{strings.Repeat("é", 1000): {NoSpans: true}}
	for i := range 100 {
		kinds[strings.Repeat("k", i+1)] = sampling.KindConfig{NoSpans: true}
	}
	body, err := json.Marshal(sampling.Config{Kinds: kinds})
	require.NoError(t, err)
	w := put(t, con, string(body), "If-Match", get(t, con, "/api/config").Header().Get("ETag"))
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	var line struct {
		Changes []string
		More    int `json:"more_changes"`
	}
	require.NoError(t, json.Unmarshal(log.Bytes(), &line))
	assert.Len(t, line.Changes, 50)
	assert.Equal(t, 101*2+3-50, line.More) // The kinds that are new have two values each, and the one that is no more has three.
}

func TestChangesThatAreRefused(t *testing.T) {
	const good = `{"kinds":{"session":{"spans_per_second":200}}}`
	for name, test := range map[string]struct {
		body    string
		headers []string
		want    int
	}{
		"without a tag":           {good, nil, http.StatusPreconditionRequired},
		"with any tag":            {good, []string{"If-Match", "*"}, http.StatusPreconditionRequired},
		"with another's tag":      {good, []string{"If-Match", `"other"`}, http.StatusPreconditionFailed},
		"from another origin":     {good, []string{"If-Match", "TAG", "Origin", "https://evil.test"}, http.StatusForbidden},
		"from another site":       {good, []string{"If-Match", "TAG", "Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
		"that are no JSON":        {"{", []string{"If-Match", "TAG"}, http.StatusBadRequest},
		"that make no sense":      {`{"kinds":{"x":{"spans_per_second":-5}}}`, []string{"If-Match", "TAG"}, http.StatusBadRequest},
		"with names nobody knows": {`{"kind":{}}`, []string{"If-Match", "TAG"}, http.StatusBadRequest},
		"that are too large":      {`{"x":"` + strings.Repeat("x", 1<<20) + `"}`, []string{"If-Match", "TAG"}, http.StatusRequestEntityTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			con, control, log := changeable(t)
			before := control.Config()
			tag := get(t, con, "/api/config").Header().Get("ETag")
			for i := range test.headers {
				test.headers[i] = strings.ReplaceAll(test.headers[i], "TAG", tag)
			}
			w := put(t, con, test.body, test.headers...)
			assert.Equal(t, test.want, w.Code, w.Body.String())
			errorText(t, w)
			assert.Equal(t, before, control.Config())
			assert.Empty(t, log.String())
		})
	}
}

func TestChangesNeedAnOption(t *testing.T) {
	_, control, _ := changeable(t)
	con := console.New(console.Config{Control: control})
	w := put(t, con, `{}`, "If-Match", get(t, con, "/api/config").Header().Get("ETag"))
	assert.Equal(t, http.StatusForbidden, w.Code)
	assert.Contains(t, errorText(t, w), "Config.AllowChanges")
	assert.Contains(t, get(t, con, "/api/about").Body.String(), `"config":true,"changes":false`)
	assert.Equal(t, "GET, HEAD, PUT", ask(t, con, http.MethodPost, "/api/config").Header().Get("Allow"))
}

func TestTimingsAreShown(t *testing.T) {
	con := console.New(console.Config{Timings: timings.New(timings.Config{})})
	w := get(t, con, "/api/timings?show=kinds")
	require.Equal(t, http.StatusOK, w.Code)
	assert.Contains(t, w.Body.String(), `"usage"`)
	assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))

	w = get(t, con, "/api/timings?by=nothing")
	assert.Equal(t, http.StatusBadRequest, w.Code)
	assert.Contains(t, errorText(t, w), "by")

	w = get(t, console.New(console.Config{}), "/api/timings")
	assert.Equal(t, http.StatusNotFound, w.Code)
	assert.Contains(t, errorText(t, w), "Config.Timings")
}
