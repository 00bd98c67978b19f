// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const spansOff = `{"default": {"no_spans": true}}`

// put sends a configuration to c with those headers, in pairs.
func put(c http.Handler, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPut, "http://ops.example/tracing", strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w
}

// Two operators who read the same configuration and both change it: the second
// is told, and loses nobody's change.
func TestSecondOfTwoChangesIsRefused(t *testing.T) {
	c := newControl(t)
	read := ask(c, http.MethodGet, "").Header().Get("ETag")
	require.NotEmpty(t, read)
	assert.Equal(t, read, ask(c, http.MethodHead, "").Header().Get("ETag"))
	assert.Equal(t, "nosniff", ask(c, http.MethodGet, "").Header().Get("X-Content-Type-Options"))

	first := put(c, spansOff, "If-Match", read)
	require.Equal(t, http.StatusOK, first.Code, first.Body)
	assert.NotEqual(t, read, first.Header().Get("ETag"))

	second := put(c, `{"default": {"untraced": true}}`, "If-Match", read)
	assert.Equal(t, http.StatusPreconditionFailed, second.Code)
	assert.False(t, c.Config().Default.Untraced, "nothing has changed")
	assert.True(t, c.Config().Default.NoSpans)

	for name, match := range map[string]string{
		"what the first was told": first.Header().Get("ETag"),
		"a list":                  read + ", " + first.Header().Get("ETag"),
		"any":                     "*",
	} {
		assert.Equal(t, http.StatusOK, put(c, spansOff, "If-Match", match).Code, name)
	}
	assert.Equal(t, http.StatusPreconditionFailed, put(c, spansOff, "If-Match", "").Code, "an empty list matches nothing")
}

func TestTooLargeAConfigurationIs413(t *testing.T) {
	w := put(newControl(t), `{"kinds": {"`+strings.Repeat("x", 1<<20)+`": {}}}`)
	assert.Equal(t, http.StatusRequestEntityTooLarge, w.Code)
}

func TestPagesOfOtherOriginsChangeNothing(t *testing.T) {
	c := newControl(t)
	for name, headers := range map[string][]string{
		"cross-site":     {"Sec-Fetch-Site", "cross-site"},
		"same-site":      {"Sec-Fetch-Site", "same-site"},
		"foreign origin": {"Origin", "http://evil.example"},
		"no origin":      {"Origin", "null"},
	} {
		assert.Equal(t, http.StatusForbidden, put(c, spansOff, headers...).Code, name)
		assert.False(t, c.Config().Default.NoSpans, name)
	}
	assert.Equal(t, http.StatusOK, put(c, spansOff, "Sec-Fetch-Site", "same-origin").Code)
	assert.Equal(t, http.StatusOK, put(c, spansOff, "Origin", "http://ops.example").Code)
	assert.Equal(t, http.StatusOK, put(c, spansOff).Code, "no browser")
}
