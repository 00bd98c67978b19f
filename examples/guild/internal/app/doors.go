// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"encoding/json"
	"net/http"

	"github.com/waybill-go/waybill/examples/guild/internal/nodes"
	"github.com/waybill-go/waybill/examples/guild/internal/telemetry"
	"github.com/waybill-go/waybill/examples/guild/internal/web"
)

// operators serves what strangers must not reach: all that can be seen of the program, what
// is traced, which whoever gets there can change for everybody, and what goes wrong on
// purpose.
func (s *services) operators(c Config, tel *telemetry.Telemetry, in *insight) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", web.Handler(web.Config{Guilds: c.Guilds, Nodes: c.Nodes, View: s.guilds.View, Operators: true}))
	s.operate(mux, in)
	mux.Handle("/tracing", in.control)
	mux.Handle("GET /metrics", in.metrics)
	mux.HandleFunc("GET /exports", func(w http.ResponseWriter, _ *http.Request) { answer(w, tel.Exports()) })
	mux.HandleFunc("GET /guilds", func(w http.ResponseWriter, _ *http.Request) {
		n := s.guilds.Stats()
		answer(w, map[string]any{
			"processes": n.Processes, "passivated": n.Passivated, "restarts": n.Restarts, "save_failures": n.SaveFailures,
		})
	})
	if s.hub != nil {
		mux.HandleFunc("GET /nodes", func(w http.ResponseWriter, _ *http.Request) {
			var views []nodes.View // None while they are started.
			if fleet := s.fleet.Load(); fleet != nil {
				views = fleet.Views()
			}
			answer(w, views)
		})
	}
	return mux
}

// public serves the page to everybody, with all that is for operators if nobody else
// reaches it.
func (s *services) public(c Config, in *insight) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", web.Handler(web.Config{Guilds: c.Guilds, Nodes: c.Nodes, View: s.guilds.View, Chat: true, Operators: c.local()}))
	if c.local() {
		s.operate(mux, in)
	}
	return mux
}

// operate serves the console and the trouble, which the page uses for operators.
func (s *services) operate(mux *http.ServeMux, in *insight) {
	mux.Handle("/console/", http.StripPrefix("/console", in.console))
	mux.Handle("/trouble", s.trouble.Handler())
	mux.Handle("/trouble/", s.trouble.Handler())
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // An operator who has gone does not matter.
}
