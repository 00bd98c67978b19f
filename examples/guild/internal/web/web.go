// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package web is the page of the example: a chat, and for operators what goes wrong on
// purpose. It leads to the console.
package web

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/examples/guild/internal/guilds"
)

//go:embed *.html *.js *.css
var files embed.FS

// viewTime is how long a guild may take to say what there is to see.
const viewTime = 2 * time.Second

// Config is what the page needs to know.
type Config struct {
	Guilds int
	Nodes  int // processes that other sessions are in
	View   func(ctx context.Context, guild int64) (guilds.View, error)
	// Chat says that the chat is served beside the page, and Operators that the console and
	// the trouble are.
	Chat, Operators bool
}

// Handler serves the page, and what it asks for under /api.
func Handler(c Config) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(files))
	mux.HandleFunc("GET /api/config", c.config)
	mux.HandleFunc("GET /api/guilds/{guild}", c.guild)
	return mux
}

// config tells the page what it cannot know.
func (c Config) config(w http.ResponseWriter, _ *http.Request) {
	answer(w, map[string]any{"guilds": c.Guilds, "nodes": c.Nodes, "chat": c.Chat, "operators": c.Operators})
}

// guild tells what there is to see of a guild.
func (c Config) guild(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("guild"), 10, 64)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), viewTime)
	defer cancel()
	switch v, err := c.View(ctx, id); {
	case errors.Is(err, chat.ErrUnknownGuild):
		http.NotFound(w, r)
	case err != nil:
		http.Error(w, "the guild does not answer", http.StatusServiceUnavailable)
	default:
		answer(w, map[string]int64{
			"guild": id, "here": v.Here, "peak": v.Peak, "joins": v.Joins, "lost": v.Lost, "last": v.Seq,
		})
	}
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(v) // A client that has gone does not matter.
}
