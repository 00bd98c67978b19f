// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"net/http"
	"time"
)

// AtMost is WebSockets with room for n.
func AtMost(n int, h http.Handler) http.Handler { return atMost(n, h) }

// Hurry makes all times of s short, and lets it have n connections.
func (s *Server) Hurry(times, grace time.Duration, n int) {
	s.http.ReadHeaderTimeout, s.http.ReadTimeout, s.http.WriteTimeout, s.http.IdleTimeout = times, times, 2*times, times
	s.grace, s.conns = grace, n
}
