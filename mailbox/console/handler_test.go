// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox/console"
)

// get asks a handler, and follows no redirect.
func get(t *testing.T, h http.Handler, target string) *httptest.ResponseRecorder {
	t.Helper()
	return ask(t, h, http.MethodGet, target)
}

func ask(t *testing.T, h http.Handler, method, target string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, target, nil))
	return w
}

// errorText returns the error of an answer of the API.
func errorText(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	var read struct{ Error string }
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &read), w.Body.String())
	require.NotEmpty(t, read.Error)
	return read.Error
}

func TestEveryAnswerHasTheHeaders(t *testing.T) {
	con := console.New(console.Config{})
	for _, target := range []string{"/", "/assets/app.js", "/api/about", "/api/nothing", "/nothing", "/assets/nothing.js", "//"} {
		header := get(t, con, target).Header()
		assert.Contains(t, header.Get("Content-Security-Policy"), "default-src 'none'", target)
		assert.Contains(t, header.Get("Content-Security-Policy"), "frame-ancestors 'none'", target)
		assert.NotContains(t, header.Get("Content-Security-Policy"), "unsafe", target)
		assert.Equal(t, "nosniff", header.Get("X-Content-Type-Options"), target)
		assert.Equal(t, "no-referrer", header.Get("Referrer-Policy"), target)
		assert.Equal(t, "same-origin", header.Get("Cross-Origin-Resource-Policy"), target)
		assert.NotEmpty(t, header.Get("Content-Type"), target)
	}
	assert.Equal(t, "no-store", get(t, con, "/api/about").Header().Get("Cache-Control"))
}

func TestOnlyGetAndHead(t *testing.T) {
	con := console.New(console.Config{})
	for _, target := range []string{"/", "/assets/app.js", "/api/about"} {
		assert.Equal(t, http.StatusOK, ask(t, con, http.MethodHead, target).Code, target)
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, "BREW"} {
			w := ask(t, con, method, target)
			assert.Equal(t, http.StatusMethodNotAllowed, w.Code, "%s %s", method, target)
			assert.Equal(t, "GET, HEAD", w.Header().Get("Allow"))
			errorText(t, w)
		}
	}
}

// mounts are ways to mount a console.
func mounts(con http.Handler) map[string]http.Handler {
	mux := func(pattern, strip string) http.Handler {
		m := http.NewServeMux()
		m.Handle(pattern, http.StripPrefix(strip, con))
		return m
	}
	return map[string]http.Handler{
		"/":                con,
		"/debug/waybill/":  mux("/debug/waybill/", "/debug/waybill"),
		"/w/":              mux("/w/", "/w/"), // with the slash
		"/deep/er/and/er/": mux("/deep/", "/deep/er/and/er"),
		"/caf%C3%A9/":      mux("/café/", "/café"),
	}
}

func TestBelowAnyPrefix(t *testing.T) {
	con := console.New(console.Config{})
	for prefix, h := range mounts(con) {
		index := get(t, h, prefix)
		require.Equal(t, http.StatusOK, index.Code, prefix)
		base, err := url.Parse(prefix)
		require.NoError(t, err)
		for _, name := range regexp.MustCompile(`(?:src|href)="([^"#]+)"`).FindAllStringSubmatch(index.Body.String(), -1) {
			target := base.ResolveReference(&url.URL{Path: name[1]})
			assert.Equal(t, http.StatusOK, get(t, h, target.String()).Code, target)
		}
		assert.Equal(t, http.StatusOK, get(t, h, prefix+"api/about").Code, prefix)
		assert.Equal(t, http.StatusNotFound, get(t, h, prefix+"nothing").Code, prefix)
	}
}

func TestMountWithoutTheSlashAtItsEnd(t *testing.T) {
	con := console.New(console.Config{})
	for target, want := range map[string]string{
		"/debug/waybill":     "/debug/waybill/",
		"/debug/waybill?x=1": "/debug/waybill/?x=1",
		"/a:b":               "/a:b/",
		"/caf%C3%A9":         "/caf%C3%A9/",
	} {
		asked, err := url.Parse(target)
		require.NoError(t, err)
		w := get(t, http.StripPrefix(asked.Path, con), target)
		require.Equal(t, http.StatusMovedPermanently, w.Code, target)
		to, err := asked.Parse(w.Header().Get("Location"))
		require.NoError(t, err)
		assert.Empty(t, to.Host, target)
		assert.Equal(t, want, to.String())
	}
}

func TestMountWithoutStripPrefix(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/debug/waybill/", console.New(console.Config{}))
	w := get(t, mux, "/debug/waybill/")
	assert.Equal(t, http.StatusNotFound, w.Code)
	assert.Equal(t, "text/plain; charset=utf-8", w.Header().Get("Content-Type"))
	assert.Contains(t, w.Body.String(), `mux.Handle("/debug/waybill/", http.StripPrefix("/debug/waybill", console))`)
	assert.Equal(t, http.StatusNotFound, get(t, mux, "/debug/waybill/assets/app.js").Code)
}

func TestPathsThatAreNotClean(t *testing.T) {
	h := http.StripPrefix("/x", console.New(console.Config{}))
	for _, target := range []string{"/x//", "/x//evil.test", "/x/api/../api/about", "/x/assets/../index.html", "/x/assets//app.js", "/x/./"} {
		w := get(t, h, target)
		assert.Equal(t, http.StatusNotFound, w.Code, target)
		assert.Empty(t, w.Header().Get("Location"), target)
	}
}

func TestAssetsAreAskedForAgain(t *testing.T) {
	con := console.New(console.Config{})
	first := get(t, con, "/assets/app.js")
	require.Equal(t, http.StatusOK, first.Code)
	assert.Equal(t, "text/javascript; charset=utf-8", first.Header().Get("Content-Type"))
	assert.Equal(t, "no-cache", first.Header().Get("Cache-Control"))
	again := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/assets/app.js", nil)
	again.Header.Set("If-None-Match", first.Header().Get("ETag"))
	w := httptest.NewRecorder()
	con.ServeHTTP(w, again)
	assert.Equal(t, http.StatusNotModified, w.Code)
	assert.Empty(t, w.Body.Bytes())
}

func TestNamesThatWereMadeToResolveToThisMachine(t *testing.T) {
	con := console.New(console.Config{})
	for host, want := range map[string]int{
		"localhost:8080": http.StatusOK, "127.0.0.1:8080": http.StatusOK, "[::1]:8080": http.StatusOK, "evil.test:8080": http.StatusForbidden,
	} {
		for _, target := range []string{"/", "/assets/app.js", "/api/about"} {
			local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}
			r := httptest.NewRequestWithContext(context.WithValue(t.Context(), http.LocalAddrContextKey, net.Addr(local)), http.MethodGet, target, nil)
			r.Host = host
			w := httptest.NewRecorder()
			con.ServeHTTP(w, r)
			assert.Equal(t, want, w.Code, "%s %s", host, target)
		}
	}
}

func TestLinks(t *testing.T) {
	con := console.New(console.Config{Title: "chat </script>", Links: []console.Link{{"The chat", "../chat/"}, {"Docs", "https://example.test/"}}})
	w := get(t, con, "/api/about")
	shown := map[string]any{}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &shown))
	delete(shown, "totals")
	rest, err := json.Marshal(shown)
	require.NoError(t, err)
	assert.JSONEq(t, `{
		"no_traces": "",
		"title": "chat </script>",
		"features": {"metrics": false, "timings": false, "config": false, "changes": false, "traces_only": false},
		"links": [{"text": "The chat", "url": "../chat/"}, {"text": "Docs", "url": "https://example.test/"}]
	}`, string(rest))
	assert.NotContains(t, w.Body.String(), "</script>")
	for _, bad := range []string{"javascript:alert(1)", "data:text/html,x", "%zz"} {
		assert.Panics(t, func() { console.New(console.Config{Links: []console.Link{{"x", bad}}}) }, bad)
	}
}
