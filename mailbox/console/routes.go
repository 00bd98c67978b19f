// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console

import "net/http"

// route is a path below the place where the console is mounted, and what it shows. It
// takes GET and HEAD only, unless it says that it takes another method too.
type route struct {
	path  string // a pattern of http.ServeMux without a method
	also  string // a method besides GET and HEAD
	serve func(c *Console, w http.ResponseWriter, r *http.Request)
}

// routes are all that the console answers.
var routes = []route{
	{path: "/{$}", serve: (*Console).serveIndex},
	{path: "/assets/{name}", serve: (*Console).serveAsset},
	{path: "/api/about", serve: (*Console).serveAbout},
	{path: "/api/metrics", serve: (*Console).serveMetrics},
	{path: "/api/traces", serve: (*Console).serveTraces},
	{path: "/api/traces/events", serve: (*Console).serveTraceEvents},
	{path: "/api/traces/{trace}", serve: (*Console).serveTrace},
	{path: "/api/traces/{trace}/otlp.json", serve: (*Console).serveTraceFile},
	{path: "/api/traces/{trace}/spans/{span}", serve: (*Console).serveSpan},
	{path: "/api/timings", serve: (*Console).serveTimings},
	{path: "/api/timings/minutes", serve: (*Console).serveMinutes},
	{path: "/api/sampling", serve: (*Console).serveSampling},
	{path: "/api/config", also: http.MethodPut, serve: (*Console).serveConfig},
}

func (c *Console) newRoutes() *http.ServeMux {
	mux := http.NewServeMux()
	for _, route := range routes {
		mux.HandleFunc(route.path, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet || r.Method == http.MethodHead || route.also != "" && r.Method == route.also {
				route.serve(c, w, r)
				return
			}
			allowed := "GET, HEAD"
			if route.also != "" {
				allowed += ", " + route.also
			}
			w.Header().Set("Allow", allowed)
			fail(w, http.StatusMethodNotAllowed, "this takes "+allowed)
		})
	}
	mux.HandleFunc("/", nothingHere)
	return mux
}
