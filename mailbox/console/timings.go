// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console

import "net/http"

// serveTimings answers as [timings.Store] does.
func (c *Console) serveTimings(w http.ResponseWriter, r *http.Request) {
	if c.config.Timings == nil {
		fail(w, http.StatusNotFound, "this program shows no timings here: its console was made without Config.Timings")
		return
	}
	relay(w, r, c.config.Timings)
}
