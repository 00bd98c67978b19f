// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package edge_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/examples/guild/internal/edge"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func answer(method, host string, headers map[string]string, names ...string) *httptest.ResponseRecorder {
	ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	r := httptest.NewRequest(method, "/", nil)
	r.Host = host
	for key, value := range headers {
		r.Header.Set(key, value)
	}
	w := httptest.NewRecorder()
	edge.Protect(ok, names...).ServeHTTP(w, r)
	return w
}

// Names that strangers may have resolve to our address are none of ours.
func TestHosts(t *testing.T) {
	for _, host := range []string{
		"127.0.0.1", "127.0.0.1:8080", "[::1]", "[::1]:8080", "192.0.2.7:1", "[2001:db8::1]:65535",
		"localhost", "LocalHost:80", "localhost.:80", "chat.example", "Chat.Example:443", "other.example.",
	} {
		assert.Equal(t, http.StatusOK, answer(http.MethodGet, host, nil, "chat.example", "other.example").Code, host)
	}
	for _, host := range []string{
		"", "evil.example", "evil.example:8080", "chat.example.evil.example", "x.chat.example", "localhost.evil.example",
		"127.0.0.1.evil.example", "127.0.0.1:80:80", "127.1", "0x7f.1", "localhost:http", "localhost:", "localhost:99999",
		"localhost:80; script-src *", "[localhost", ":80", "[]", "localhost..",
	} {
		w := answer(http.MethodGet, host, nil, "chat.example", "other.example")
		assert.Equal(t, http.StatusMisdirectedRequest, w.Code, "%q", host)
	}
}

func TestPagesOfOthersChangeNothing(t *testing.T) {
	const host = "chat.example:8080"
	for _, test := range []struct {
		headers map[string]string
		want    int
	}{
		{nil, http.StatusOK}, // No browser.
		{map[string]string{"Origin": "http://chat.example:8080"}, http.StatusOK},
		{map[string]string{"Origin": "http://chat.example:8081"}, http.StatusForbidden},
		{map[string]string{"Origin": "http://evil.example"}, http.StatusForbidden},
		{map[string]string{"Origin": "null"}, http.StatusForbidden},
		{map[string]string{"Sec-Fetch-Site": "same-origin"}, http.StatusOK},
		{map[string]string{"Sec-Fetch-Site": "same-site"}, http.StatusForbidden},
		{map[string]string{"Sec-Fetch-Site": "cross-site"}, http.StatusForbidden},
	} {
		assert.Equal(t, test.want, answer(http.MethodPost, host, test.headers, "chat.example").Code, test.headers)
	}
}

// Browsers are told what our answers may be used for, whatever those are.
func TestBrowsersAreInstructed(t *testing.T) {
	for _, host := range []string{"localhost:8080", "[::1]:8080", "evil.example"} {
		header := answer(http.MethodGet, host, nil).Header()
		assert.Equal(t, "DENY", header.Get("X-Frame-Options"))
		assert.Equal(t, "nosniff", header.Get("X-Content-Type-Options"))
		assert.Equal(t, "no-referrer", header.Get("Referrer-Policy"))
		policy := header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"} {
			assert.Contains(t, policy, part)
		}
		assert.NotContains(t, policy, "evil")
		assert.NotContains(t, policy, "unsafe")
	}
	assert.Contains(t, answer(http.MethodGet, "localhost:8080", nil).Header().Get("Content-Security-Policy"),
		"connect-src 'self' ws://localhost:8080 wss://localhost:8080;")
}
