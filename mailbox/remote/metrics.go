// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote

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

// RegisterMetrics reports the counts of [Node.Stats] as OpenTelemetry metrics. They are
// observable, and their names begin with waybill.remote. Every measurement has attrs, which are
// copied: nodes that are registered with one meter need attributes that tell them apart. To end
// the reports call Unregister on the result, which keeps the node until then. There is an error
// if the meter returns one, if it is nil, or if the node is registered with it and the same
// attrs already. Then nothing is registered.
func (n *Node) RegisterMetrics(meter metric.Meter, attrs ...attribute.KeyValue) (metric.Registration, error) {
	registration, err := observe.Counters(&n.metrics, meter, n.Stats, figures, attrs)
	if err != nil {
		return nil, fmt.Errorf("remote: metrics: %w", err)
	}
	return registration, nil
}

// ownMetrics are the metrics that go to the node's own meter provider.
type ownMetrics struct{ registration metric.Registration } // Nil without any.

// report has register report to the provider of n, if it has one.
func (o *ownMetrics) report(
	n *Node, register func(metric.Meter, ...attribute.KeyValue) (metric.Registration, error),
) {
	if n.meters == nil {
		return
	}
	guard.Do(func() {
		registration, err := register(scope.Meter(n.meters, "mailbox/remote"), n.attrs...)
		if err != nil {
			otel.Handle(err)
			return
		}
		o.registration = registration
	})
}

// end ends the reports. It may be called again.
func (o *ownMetrics) end() {
	if o.registration != nil {
		guard.Do(func() { _ = o.registration.Unregister() }) // An error means that the provider is shut down.
		o.registration = nil
	}
}

// figures are the metrics of all that [Stats] counts.
var figures = []observe.Field[Stats]{
	figure("sent", "{message}", "Messages that were sent to other machines.", func(s *Stats) *uint64 { return &s.Sent }),
	notSentFigure("codec", func(s *Stats) *uint64 { return &s.NotSent.Codec }),
	notSentFigure("oversized", func(s *Stats) *uint64 { return &s.NotSent.Oversized }),
	notSentFigure("full", func(s *Stats) *uint64 { return &s.NotSent.Full }),
	notSentFigure("connection", func(s *Stats) *uint64 { return &s.NotSent.Connection }),
	notSentFigure("unplaced", func(s *Stats) *uint64 { return &s.NotSent.Unplaced }),
	figure("received", "{message}", "Messages that came from other machines.", func(s *Stats) *uint64 { return &s.Received }),
	figure("delivered", "{message}", "Messages from other machines that a mailbox took, calls apart.",
		func(s *Stats) *uint64 { return &s.Delivered }),
	figure("forwarded", "{message}", "Messages from other machines whose process had moved, handed on to where it is.",
		func(s *Stats) *uint64 { return &s.Forwarded }),
	refusedFigure("full", func(s *Stats) *uint64 { return &s.Refused.Full }),
	refusedFigure("stopped", func(s *Stats) *uint64 { return &s.Refused.Stopped }),
	refusedFigure("busy", func(s *Stats) *uint64 { return &s.Refused.Busy }),
	refusedFigure("codec", func(s *Stats) *uint64 { return &s.Undecodable }),
	refusedFigure("oversized", func(s *Stats) *uint64 { return &s.Oversized }),
	figure("dropped", "{message}", "Messages from other machines that came while too many waited.",
		func(s *Stats) *uint64 { return &s.Dropped }),
	figure("cut", "{message}", "Messages to other machines without some of their tracestate or baggage, which did not fit.",
		func(s *Stats) *uint64 { return &s.Cut }),
	figure("bare", "{message}", "Messages from other machines without a trace and without baggage.",
		func(s *Stats) *uint64 { return &s.Bare }),
	figure("malformed", "{message}", "Messages from other machines whose headers or reply subject could not be used, in part or in whole.",
		func(s *Stats) *uint64 { return &s.Malformed }),
	figure("calls.pending", "{call}", "Calls to other machines that now wait for their answer.",
		func(s *Stats) *uint64 { return &s.Calls.Pending }).Falling(),
	callFigure("answered", func(s *Stats) *uint64 { return &s.Calls.Answered }),
	callFigure("failed", func(s *Stats) *uint64 { return &s.Calls.Failed }),
	callFigure("deadline", func(s *Stats) *uint64 { return &s.Calls.TimedOut }),
	callFigure("cancelled", func(s *Stats) *uint64 { return &s.Calls.Cancelled }),
	figure("calls.late", "{reply}", "Answers from other machines that nobody waited for.",
		func(s *Stats) *uint64 { return &s.Calls.Late }),
	figure("calls.lost", "{reply}", "Answers from other machines that came while too many waited.",
		func(s *Stats) *uint64 { return &s.Calls.Lost }),
	figure("calls.redirected", "{call}", "Calls that were sent a second time, because their process had moved.",
		func(s *Stats) *uint64 { return &s.Calls.Redirected }),
	figure("served.calls", "{call}", "Calls from other machines that were taken on.",
		func(s *Stats) *uint64 { return &s.Served.Calls }),
	figure("served.pending", "{call}", "Calls from other machines that are now being answered.",
		func(s *Stats) *uint64 { return &s.Served.Pending }).Falling(),
	figure("served.answered", "{call}", "Calls from other machines that were answered with a result.",
		func(s *Stats) *uint64 { return &s.Served.Answered }),
	figure("served.failed", "{call}", "Calls from other machines that were answered with an error.",
		func(s *Stats) *uint64 { return &s.Served.Failed }),
	figure("served.cancelled", "{call}", "Calls from other machines that failed because their caller had gone.",
		func(s *Stats) *uint64 { return &s.Served.Cancelled }),
	figure("served.lost", "{reply}", "Answers to other machines that could not be sent.",
		func(s *Stats) *uint64 { return &s.Served.Lost }),
}

func figure(name, unit, description string, of func(*Stats) *uint64) observe.Field[Stats] {
	return observe.NewField("waybill.remote."+name, unit, description, of)
}

func notSentFigure(reason string, of func(*Stats) *uint64) observe.Field[Stats] {
	return figure("not_sent", "{message}", "Messages to other machines that could not be sent.", of).With(because(reason))
}

func refusedFigure(reason string, of func(*Stats) *uint64) observe.Field[Stats] {
	return figure("refused", "{message}", "Messages from other machines that were not taken.", of).With(because(reason))
}

func callFigure(reason string, of func(*Stats) *uint64) observe.Field[Stats] {
	return figure("calls", "{call}", "Calls to other machines that have ended.", of).With(because(reason))
}

func because(reason string) attribute.KeyValue { return keys.RemoteReason.String(reason) }
