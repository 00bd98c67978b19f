// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/waybill-go/waybill/mailbox/console"
	"github.com/waybill-go/waybill/mailbox/timings"
	"github.com/waybill-go/waybill/sampling"
)

// FuzzRequests sends requests to a console below a prefix. Whatever is asked, the answer has
// the headers, is no failure of the server, and leads nowhere but below the prefix.
func FuzzRequests(f *testing.F) {
	for _, target := range []string{
		"", "/", "//", "/../x", "/assets/app.js", "/assets/%2e%2e/x", "/api/about", "/api/traces?limit=500&late=any&at_least=5ms",
		"/api/traces?limit=%00", "/api/traces/0123/otlp.json", "/api/traces/events/", "/api/timings?by=share", "/api/config", "/api/metrics", "/api/sampling",
	} {
		f.Add(http.MethodGet, target)
	}
	f.Add(http.MethodPut, "/api/config")
	control, err := sampling.NewControl(sampling.Config{})
	if err != nil {
		f.Fatal(err)
	}
	con := console.New(console.Config{Control: control, Timings: timings.New(timings.Config{}), AllowChanges: true})
	if err := con.Shutdown(f.Context()); err != nil { // So that no stream goes on.
		f.Fatal(err)
	}
	h := http.StripPrefix("/debug/waybill", con)
	f.Fuzz(func(t *testing.T, method, target string) {
		target = "/debug/waybill" + target
		at, err := url.ParseRequestURI(target)
		if err != nil || strings.ContainsAny(method, " \x00\r\n") || method == "" || !strings.HasPrefix(at.Path, "/debug/waybill") {
			return
		}
		r := &http.Request{Method: method, URL: at, RequestURI: target, Header: http.Header{}, Body: http.NoBody, Host: "localhost"}
		w := httptest.NewRecorder()
		begin := time.Now()
		h.ServeHTTP(w, r.WithContext(t.Context()))
		if took := time.Since(begin); took > 10*time.Second {
			t.Error("it took", took)
		}
		if w.Code >= 500 && w.Code != http.StatusServiceUnavailable {
			t.Error("status", w.Code)
		}
		if w.Code != http.StatusNotFound && w.Header().Get("Content-Security-Policy") == "" {
			t.Error("no policy with status", w.Code) // StripPrefix itself says that it finds nothing.
		}
		if w.Header().Get("Content-Type") == "application/json" && w.Code >= 400 && !json.Valid(w.Body.Bytes()) {
			t.Errorf("no JSON: %s", w.Body)
		}
		if location := w.Header().Get("Location"); location != "" {
			to, err := at.Parse(location)
			if err != nil || to.Host != "" || !strings.HasPrefix(to.Path, "/debug/") {
				t.Errorf("from %q to %q", target, location)
			}
		}
	})
}
