// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package trouble_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/examples/guild/internal/trouble"
)

// ask asks the handler and returns what it answers.
func ask(t *testing.T, b *trouble.Board, method, path, body string) (status int, answer struct {
	Error   string          `json:"error"`
	Trouble []trouble.State `json:"trouble"`
},
) {
	t.Helper()
	w := httptest.NewRecorder()
	b.Handler().ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	if w.Code != http.StatusMethodNotAllowed && w.Header().Get("Content-Type") == "application/json" {
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
	}
	return w.Code, answer
}

func TestTroubleIsOrderedByHTTP(t *testing.T) {
	b := quiet(7)
	defer b.Close()
	status, answer := ask(t, b, http.MethodGet, "/trouble", "")
	require.Equal(t, http.StatusOK, status)
	for _, s := range answer.Trouble {
		assert.NotEmpty(t, s.Title)
		assert.NotEmpty(t, s.What)
		assert.NotEmpty(t, s.LookFor)
		assert.Equal(t, trouble.Setting{Name: "guild", Label: "Guild", Min: 1, Max: 7, Value: 1}, s.Settings[0])
		for _, setting := range s.Settings {
			assert.LessOrEqual(t, setting.Min, setting.Value, setting.Name)
			assert.LessOrEqual(t, setting.Value, setting.Max, setting.Name)
		}
	}
	status, answer = ask(t, b, http.MethodPost, "/trouble/slow-guild", `{"guild":3,"delay_ms":70}`)
	require.Equal(t, http.StatusOK, status, answer.Error)
	for _, s := range answer.Trouble {
		assert.Equal(t, s.Name == trouble.SlowGuild, s.On, s.Name)
		if s.On {
			assert.EqualValues(t, 60, s.SecondsLeft)
			assert.EqualValues(t, 3, s.Settings[0].Value)
			assert.EqualValues(t, 70, s.Settings[1].Value)
		}
	}
	status, _ = ask(t, b, http.MethodPost, "/trouble/panic-guild", "")
	assert.Equal(t, http.StatusOK, status, "nothing is an order for the defaults")
	status, answer = ask(t, b, http.MethodDelete, "/trouble/slow-guild", "")
	require.Equal(t, http.StatusOK, status)
	for _, s := range answer.Trouble {
		assert.Equal(t, s.Name == trouble.PanicGuild, s.On, s.Name)
	}
}

func TestOrdersOutOfBoundsAreRefused(t *testing.T) {
	b := quiet(2)
	defer b.Close()
	for _, test := range []struct {
		method, path, body string
		status             int
		why                string
	}{
		{http.MethodPost, "/trouble/slow-guild", `{"guild":3}`, http.StatusBadRequest, "guild must be from 1 to 2"},
		{http.MethodPost, "/trouble/slow-guild", `{"guild":0}`, http.StatusBadRequest, "guild must be"},
		{http.MethodPost, "/trouble/slow-guild", `{"seconds":121}`, http.StatusBadRequest, "seconds must be from 1 to 120"},
		{http.MethodPost, "/trouble/slow-guild", `{"seconds":-9223372036854775808}`, http.StatusBadRequest, "seconds must be"},
		{http.MethodPost, "/trouble/slow-guild", `{"delay_ms":2001}`, http.StatusBadRequest, "delay_ms must be"},
		{http.MethodPost, "/trouble/slow-guild", `{"one_in":2}`, http.StatusBadRequest, `slow-guild has no "one_in"`},
		{http.MethodPost, "/trouble/slow-sessions", `{"one_in":0}`, http.StatusBadRequest, "one_in must be"},
		{http.MethodPost, "/trouble/traffic", `{"per_second":21}`, http.StatusBadRequest, "per_second must be"},
		{http.MethodPost, "/trouble/traffic", `{"per_second":1.5}`, http.StatusBadRequest, "1.5"},
		{http.MethodPost, "/trouble/traffic", `{"per_second":`, http.StatusBadRequest, "JSON"},
		{http.MethodPost, "/trouble/traffic", `[1]`, http.StatusBadRequest, "array"},
		{http.MethodPost, "/trouble/traffic", strings.Repeat(" ", 5<<10), http.StatusBadRequest, "too large"},
		{http.MethodPost, "/trouble/fire", ``, http.StatusNotFound, "no such trouble"},
		{http.MethodDelete, "/trouble/fire", ``, http.StatusNotFound, "no such trouble"},
		{http.MethodPut, "/trouble/slow-guild", ``, http.StatusMethodNotAllowed, ""},
		{http.MethodGet, "/trouble/slow-guild", ``, http.StatusMethodNotAllowed, ""},
		{http.MethodPost, "/trouble", ``, http.StatusMethodNotAllowed, ""},
	} {
		status, answer := ask(t, b, test.method, test.path, test.body)
		assert.Equal(t, test.status, status, "%s %s %s", test.method, test.path, test.body)
		assert.Contains(t, answer.Error, test.why)
	}
	for _, s := range b.States() {
		assert.False(t, s.On, s.Name)
	}
}
