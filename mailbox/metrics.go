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

// figures are all that [Stats] counts: its metrics, and how to add it up.
var figures = []observe.Field[Stats]{
	observe.NewReading("waybill.mailbox.processes", "{process}", "Processes now alive.",
		func(s Stats) uint64 { return uint64(s.Processes) }).Falling(),
	figure("accepted", "{message}", "Messages taken into a mailbox.", func(s *Stats) *uint64 { return &s.Accepted }),
	refusedFigure("full", func(s *Stats) *uint64 { return &s.Refused.Full }),
	refusedFigure("stopped", func(s *Stats) *uint64 { return &s.Refused.Stopped }),
	refusedFigure("cancelled", func(s *Stats) *uint64 { return &s.Refused.Cancelled }),
	figure("waiting", "{sender}", "Senders now waiting for room.",
		func(s *Stats) *uint64 { return &s.Waiting }).Falling(),
	figure("queued", "{message}", "Messages now in a mailbox or being handled.",
		func(s *Stats) *uint64 { return &s.Queued }).Falling(),
	figure("handled", "{message}", "Messages whose handler returned nil.", func(s *Stats) *uint64 { return &s.Handled }),
	figure("failed", "{message}", "Messages whose handler failed.", func(s *Stats) *uint64 { return &s.Failed }),
	deadLetterFigure("killed", func(s *Stats) *uint64 { return &s.DeadLetters.Killed }),
	deadLetterFigure("failed", func(s *Stats) *uint64 { return &s.DeadLetters.Failed }),
	deadLetterFigure("dropped", func(s *Stats) *uint64 { return &s.DeadLetters.Dropped }),
	deadLetterFigure("expired", func(s *Stats) *uint64 { return &s.DeadLetters.Expired }),
	figure("late_replies", "{reply}", "Answers to calls whose caller had gone.",
		func(s *Stats) *uint64 { return &s.LateReplies }),
	figure("restarts", "{restart}", "Restarts of processes after a failure.", func(s *Stats) *uint64 { return &s.Restarts }),
	figure("passivated", "{process}", "Processes passivated while idle.", func(s *Stats) *uint64 { return &s.Passivated }),
	figure("save_failures", "{failure}", "Failures to save the state of a process.",
		func(s *Stats) *uint64 { return &s.SaveFailures }),
	figure("close_failures", "{failure}", "Failures to close the state of a process.",
		func(s *Stats) *uint64 { return &s.CloseFailures }),
	figure("late.shed", "{span}", "Late spans that were beyond their bound.", func(s *Stats) *uint64 { return &s.LateShed }),
	figure("events.lost", "{event}", "Events that nobody was told of, because a hook was too slow.",
		func(s *Stats) *uint64 { return &s.EventsLost }),
	figure("slow", "{message}", "Messages whose handling was slow, where it is configured what that is.",
		func(s *Stats) *uint64 { return &s.Slow }),
}

func figure(name, unit, description string, of func(*Stats) *uint64) observe.Field[Stats] {
	return observe.NewField("waybill.mailbox."+name, unit, description, of)
}

func refusedFigure(reason string, of func(*Stats) *uint64) observe.Field[Stats] {
	return figure("refused", "{message}", "Messages that were not taken in.", of).With(keys.MailboxReason.String(reason))
}

func deadLetterFigure(reason string, of func(*Stats) *uint64) observe.Field[Stats] {
	return figure("dead_letters", "{message}", "Messages accepted and never handled.", of).With(keys.MailboxReason.String(reason))
}

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

// meters are where a system's metrics are made without being asked again.
type meters struct {
	provider metric.MeterProvider // nil makes none
	attrs    []attribute.KeyValue
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
