// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"context"
	"net/http"
	"time"
)

// aboutWaits is how long the pages wait to be told whether there are metrics. All of them ask
// for that first.
const aboutWaits = time.Second

// about is what the pages know of the console before they ask for more.
type about struct {
	Title    string   `json:"title"`
	Features features `json:"features"`
	Links    []Link   `json:"links"`
	NoTraces string   `json:"no_traces"` // what is said while there are none; empty for the default
	Totals   totals   `json:"totals"`
}

// totals say what became of the spans that the console has got.
type totals struct {
	Seen            uint64 `json:"seen"`
	Kept            int    `json:"kept"`
	Forgotten       uint64 `json:"forgotten"`
	LeftOut         uint64 `json:"left_out"`
	Duplicates      uint64 `json:"duplicates"`
	Invalid         uint64 `json:"invalid"`
	Dropped         uint64 `json:"dropped"`
	Traces          int    `json:"traces"`
	ForgottenTraces uint64 `json:"forgotten_traces"`
	Bytes           int    `json:"bytes"`
	MaxBytes        int    `json:"max_bytes"`
}

// features say which parts have something to show.
type features struct {
	Metrics bool `json:"metrics"` // a reader is attached to a meter provider
	Timings bool `json:"timings"`
	Config  bool `json:"config"`
	Changes bool `json:"changes"` // the configuration may be changed

	TracesOnly bool `json:"traces_only"` // nothing but traces will ever come
}

func (c *Console) serveAbout(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), aboutWaits)
	defer cancel()
	metrics := c.metrics.current(ctx, c.collectMetrics)
	links := c.config.Links
	if links == nil {
		links = []Link{}
	}
	t := c.traces.Totals()
	answer(w, about{
		Title: c.config.Title,
		Features: features{
			Metrics: metrics == nil || metrics.attached, // What takes long is of a provider.
			Timings: c.config.Timings != nil,
			Config:  c.config.Control != nil,
			Changes: c.config.Control != nil && c.config.AllowChanges,

			TracesOnly: c.config.TracesOnly,
		},
		Links:    links,
		NoTraces: c.config.NoTraces,
		Totals: totals{
			t.Seen, t.Kept, t.Forgotten, t.LeftOut, t.Duplicates, t.Invalid, t.Dropped,
			t.Traces, t.ForgottenTraces, t.Bytes, t.MaxBytes,
		},
	})
}
