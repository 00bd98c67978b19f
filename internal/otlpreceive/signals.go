// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package otlpreceive

import (
	"sync"
	"sync/atomic"
)

// signal is a kind of telemetry that is accepted and thrown away.
type signal struct {
	name    string // as users say
	path    string // of HTTP
	service string // of gRPC
	counter *atomic.Int64
	once    *sync.Once
}

// signals returns all of OTLP's signals but traces.
func (r *Receiver) signals() []signal {
	const collector = "opentelemetry.proto.collector."
	return []signal{
		{"Metrics", "/v1/metrics", collector + "metrics.v1.MetricsService", &r.counts.metrics, &r.notices.metrics},
		{"Logs", "/v1/logs", collector + "logs.v1.LogsService", &r.counts.logs, &r.notices.logs},
		{
			"Profiles", "/v1development/profiles", collector + "profiles.v1development.ProfilesService",
			&r.counts.profiles, &r.notices.profiles,
		},
	}
}

// count counts a request that was thrown away.
func (r *Receiver) count(s signal) {
	s.counter.Add(1)
	r.notices.tell(s.once, "%s arrive, and are thrown away: only traces are shown.", s.name)
}
