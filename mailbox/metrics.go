// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"fmt"
	"slices"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/waybill-go/waybill/internal/broadcast"
	"github.com/waybill-go/waybill/internal/durations"
	"github.com/waybill-go/waybill/internal/guard"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/observe"
	"github.com/waybill-go/waybill/internal/scope"
	"github.com/waybill-go/waybill/mailbox/internal/scheduler"
	"github.com/waybill-go/waybill/mailbox/internal/spans"
)

// RegisterMetrics reports the counts of [System.KindStats] as OpenTelemetry metrics, by the
// kind of the processes (waybill.process.kind) and the reason (waybill.mailbox.reason). It
// also reports how many messages wait in the fullest mailbox of each kind, which share of
// its capacity that is, how old the oldest message is, how many spans there were, and how
// many workers there are. All of that is observable: it is read whenever something collects.
// In between it costs nothing. The names begin with waybill.mailbox.
//
// What becomes of the broadcasts of each group (waybill.fanout.group) is counted from the
// first registration on, at two or three atomic operations a broadcast. These names begin
// with waybill.fanout.
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
	registration, err := observe.All(&s.metrics, meter, attrs,
		observe.From(s.readKinds, kindMetrics), observe.From(s.readWorkers, workerMetrics),
		observe.From(s.readGroups, broadcast.Metrics))
	if err != nil {
		return nil, fmt.Errorf("mailbox: metrics: %w", err)
	}
	s.reported.Store(true)
	return registration, nil
}

// kindReading is what is known of all processes of a kind.
type kindReading struct {
	counts Stats
	most   pressure
	made   spans.Counts
}

var kindMetrics = slices.Concat(
	observe.Of(func(r kindReading) Stats { return r.counts }, figures),
	observe.Of(func(r kindReading) pressure { return r.most }, pressures),
	observe.Of(func(r kindReading) spans.Counts { return r.made }, spanMetrics()),
)

// spanMetrics are the metrics of the spans that a kind has made.
func spanMetrics() []observe.Field[spans.Counts] {
	fields := []observe.Field[spans.Counts]{
		observe.NewReading("waybill.mailbox.traced", "{message}", "Messages whose handling had a sampled span.",
			func(c spans.Counts) uint64 { return c.Traced }),
		observe.NewReading("waybill.mailbox.chains.cut", "{trace}", "Traces that went on in a new one, because they were too long or too old.",
			func(c spans.Counts) uint64 { return c.Cut }),
	}
	for i, reason := range spans.LateReasons {
		fields = append(fields, observe.NewReading("waybill.mailbox.late", "{span}", "Late spans that were made.",
			func(c spans.Counts) uint64 { return c.Late[i] }).With(keys.LateReason.String(reason)))
	}
	return fields
}

// readKinds passes on what is known of each kind.
func (s *System) readKinds(each func(kindReading, ...attribute.KeyValue)) {
	for name, r := range s.kindReadings() {
		each(r, keys.ProcessKind.String(name))
	}
}

func (s *System) kindReadings() map[string]kindReading {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.measureLocked(true)
	readings := make(map[string]kindReading, s.kinds.Len())
	for name, t := range s.kinds.All() {
		readings[name] = kindReading{t.sum, t.most, t.made.Counts()}
	}
	return readings
}

var workerMetrics = []observe.Field[scheduler.Load]{
	workerMetric("running", func(l scheduler.Load) int { return l.Running }),
	workerMetric("blocked", func(l scheduler.Load) int { return l.Blocked }),
	observe.NewReading("waybill.mailbox.runnable", "{process}", "Processes that now wait for a worker.",
		func(l scheduler.Load) uint64 { return uint64(l.Runnable) }).Falling(),
}

func workerMetric(state string, of func(scheduler.Load) int) observe.Field[scheduler.Load] {
	return observe.NewReading("waybill.mailbox.workers", "{worker}", "Goroutines that now handle messages.",
		func(l scheduler.Load) uint64 { return uint64(of(l)) }). //nolint:gosec // A length.
		Falling().With(keys.WorkerState.String(state))
}

func (s *System) readWorkers(each func(scheduler.Load, ...attribute.KeyValue)) { each(s.sched.Load()) }

// readGroups passes on what became of the broadcasts of each group.
func (s *System) readGroups(each func(broadcast.Counts, ...attribute.KeyValue)) {
	s.mu.Lock()
	groups := s.groups.Clone()
	s.mu.Unlock()
	for name, t := range groups.All() {
		each(t.counts.Load(broadcast.Metrics), keys.FanoutGroup.String(name))
	}
}

// registerMetrics reports to the system's meter provider, if it has one. If the provider
// panics or fails, there are no metrics, or no histograms.
func (s *System) registerMetrics() {
	if s.meters.provider == nil {
		return
	}
	guard.Do(func() {
		meter := scope.Meter(s.meters.provider, "mailbox")
		if _, err := s.RegisterMetrics(meter, s.meters.attrs...); err != nil {
			otel.Handle(err)
		}
		var err error
		if s.durations, err = durations.New(meter, "waybill.mailbox.", s.meters.attrs); err != nil {
			otel.Handle(fmt.Errorf("mailbox: metrics: %w", err))
		}
		if s.sizes, err = newSizes(meter); err != nil {
			otel.Handle(fmt.Errorf("mailbox: metrics: %w", err))
		}
	})
}
