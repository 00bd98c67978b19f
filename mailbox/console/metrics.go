// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// collectFor is how long a collection may take.
const collectFor = 30 * time.Second

// metricsAnswer is what a collection found. A collection looks at every process, so all
// who ask at about the same time share one.
type metricsAnswer struct {
	attached bool
	json     []byte
}

func (c *Console) serveMetrics(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), collectFor)
	defer cancel()
	current := c.metrics.current(ctx, c.collectMetrics)
	if current == nil {
		fail(w, http.StatusServiceUnavailable, "the metrics could not be read: a callback of one of them hangs or panics")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(current.json) // The client may have gone.
}

func (c *Console) collectMetrics(ctx context.Context) *metricsAnswer {
	ctx, cancel := context.WithTimeout(ctx, collectFor)
	defer cancel()
	read := c.collect(ctx)
	return &metricsAnswer{read.attached, metricsJSON(&read, time.Now())}
}

func metricsJSON(read *collected, at time.Time) []byte {
	text, err := json.Marshal(newMetricsDocument(read, at))
	if err != nil { // It cannot be: every number has a form in JSON.
		text, _ = json.Marshal(metricsDocument{Attached: read.attached, Time: at, Problem: err.Error()})
	}
	return text
}
