// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package trouble

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"time"
)

// maxBody is how many bytes an order may have.
const maxBody = 4 << 10

// State is a sort of trouble and what there is of it.
type State struct {
	Sort

	On          bool   `json:"on"`
	SecondsLeft int64  `json:"seconds_left"`       // rounded up
	Happened    string `json:"happened,omitempty"` // of the latest, which may have ended
	Process     string `json:"process,omitempty"`  // kind and ID of the one that it happened to, with a slash in between
}

// States returns all sorts of trouble. The settings have the values of what is on.
func (b *Board) States() []State {
	all := make([]State, 0, len(sorts))
	for _, s := range sorts {
		s.Settings = s.settings(b.config.Guilds)
		state := State{Sort: s}
		at := b.toggle(s.Name)
		if t := at.latest.Load(); t != nil {
			state.Happened = s.happened(t)
			state.Process = processOf(s.Name, t)
		}
		if t := at.now.Load(); t != nil && t.ctx.Err() == nil {
			state.On = true
			state.SecondsLeft = int64(math.Ceil(time.Until(t.until).Seconds()))
			for i := range state.Settings {
				state.Settings[i].Value = t.order[state.Settings[i].Name]
			}
		}
		all = append(all, state)
	}
	return all
}

// processOf returns the process that trouble happened to, or happens to all the time.
func processOf(name Name, t *trouble) string {
	whom := t.whom.Load()
	switch {
	case name == SlowGuild:
		return fmt.Sprintf("guild/%d", t.order[Guild])
	case whom == 0:
		return ""
	case name == PanicGuild:
		return fmt.Sprintf("guild/%d", whom)
	default:
		return fmt.Sprintf("session/%d", whom)
	}
}

// Handler serves the board under /trouble. GET tells of all sorts of trouble. POST with
// an [Order] at the name of one switches it on, DELETE switches it off; both answer as
// GET does. Whoever reaches the handler can do that: it must be protected from strangers
// and from pages of other origins.
func (b *Board) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /trouble", func(w http.ResponseWriter, _ *http.Request) { b.answer(w, nil) })
	mux.HandleFunc("POST /trouble/{name}", func(w http.ResponseWriter, r *http.Request) {
		order, err := readOrder(http.MaxBytesReader(w, r.Body, maxBody))
		if err == nil {
			err = b.Begin(Name(r.PathValue("name")), order)
		}
		b.answer(w, err)
	})
	mux.HandleFunc("DELETE /trouble/{name}", func(w http.ResponseWriter, r *http.Request) {
		b.answer(w, b.End(Name(r.PathValue("name"))))
	})
	return mux
}

// readOrder reads an order. No bytes are an order for the defaults.
func readOrder(from io.Reader) (order Order, err error) {
	data, err := io.ReadAll(from)
	if err == nil && len(data) > 0 {
		err = json.Unmarshal(data, &order)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOrder, err)
	}
	return order, nil
}

// answer answers with the states, or says what is wrong.
func (b *Board) answer(w http.ResponseWriter, err error) {
	status, body := http.StatusOK, any(map[string]any{"trouble": b.States()})
	switch {
	case err == nil:
	case errors.Is(err, ErrUnknown):
		status = http.StatusNotFound
	case errors.Is(err, ErrClosed):
		status = http.StatusServiceUnavailable
	default:
		status = http.StatusBadRequest
	}
	if err != nil {
		body = map[string]string{"error": err.Error()}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // An operator who has gone does not matter.
}
