// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNamesThatNobodyHasAreSaid(t *testing.T) {
	c := newControl(t)
	cellsOf(c).Kind("session")
	cellsOf(c).Group("sessions")
	unknown := func(body string) map[string][]string {
		var shown struct {
			Unknown map[string][]string `json:"unknown"`
		}
		require.NoError(t, json.Unmarshal([]byte(body), &shown))
		return shown.Unknown
	}
	const right = `{"kinds": {"session": {"no_spans": true}}, "groups": {"sessions": {"max_spans": 1}}}`
	w := put(c, right)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	assert.NotContains(t, w.Body.String(), "unknown")

	const wrong = `{"kinds": {"sesion": {"no_spans": true}, "a": {}}, "groups": {"session": {"max_spans": 1}}}`
	w = put(c, wrong)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	want := map[string][]string{"kinds": {"a", "sesion"}, "groups": {"session"}}
	assert.Equal(t, want, unknown(w.Body.String()))
	shown := ask(c, http.MethodGet, "")
	assert.Equal(t, want, unknown(shown.Body.String()))

	again := put(c, shown.Body.String(), "If-Match", shown.Header().Get("ETag"))
	require.Equal(t, http.StatusOK, again.Code, "what was shown can be sent back: %s", again.Body)
	cellsOf(c).Kind("sesion")
	assert.True(t, cellsOf(c).Kind("sesion").Load().NoSpans, "it has come, and is as configured")
	want["kinds"] = []string{"a"}
	shown = ask(c, http.MethodGet, "")
	assert.Equal(t, want, unknown(shown.Body.String()))
	assert.Equal(t, again.Header().Get("ETag"), shown.Header().Get("ETag"), "the configuration is the same")
}
