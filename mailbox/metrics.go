// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"fmt"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/waybill-go/waybill/internal/guard"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/observe"
	"github.com/waybill-go/waybill/internal/scope"
)

// RegisterMetrics reports [System.KindStats] as OpenTelemetry metrics: observable sums
// under names that begin with waybill.mailbox, by the kind of the processes
// (waybill.process.kind) and the reason (waybill.mailbox.reason), read whenever something
// collects. In between it costs nothing.
//
// A collection takes time in proportion to the number of processes alive, some 20
// to 100 ns for each, and holds up spawning and the ends of processes meanwhile:
// with a million of them, collect once a minute rather than once a second.
//
// Every measurement has attrs, which are copied: systems that are registered with
// one meter need attributes that tell them apart. To end the reports call
// Unregister on the result; until then s is kept. An error comes from the meter,
// from there being none, or from s being registered with it and the same attrs
// already, and then nothing is registered.
func (s *System) RegisterMetrics(meter metric.Meter, attrs ...attribute.KeyValue) (metric.Registration, error) {
	read := func(each func(Stats, ...attribute.KeyValue)) {
		for kind, stats := range s.KindStats() {
			each(stats, keys.ProcessKind.String(kind))
		}
	}
	registration, err := observe.Sums(&s.metrics, meter, read, figures, attrs)
	if err != nil {
		return nil, fmt.Errorf("mailbox: metrics: %w", err)
	}
	return registration, nil
}

func (s *System) registerMetrics() {
	if s.meters.provider == nil {
		return
	}
	guard.Do(func() {
		if _, err := s.RegisterMetrics(scope.Meter(s.meters.provider, "mailbox"), s.meters.attrs...); err != nil {
			otel.Handle(err)
		}
	})
}
