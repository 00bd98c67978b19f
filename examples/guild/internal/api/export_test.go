// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
)

// Handler returns what answers the requests.
func (s *Service) Handler() http.Handler { return s.server.Handler() }

// Open takes the frames of a client of a guild.
func (s *Service) Open(guild int64) chat.Frames { return s.open(guild) }

// MaxSeen is how many traces are remembered.
const MaxSeen = maxSeen

// NewSeen makes what remembers traces.
var NewSeen = newSeen

// First reports whether a trace was not seen before.
func (s *seen) First(id trace.TraceID) bool { return s.first(id) }
