// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling/estimate"
)

// Latency is what the spans of one kind of processes say of all its messages,
// those that were not traced included.
type Latency struct {
	// All holds the seconds from the sending of a message to the end of its
	// handling.
	All estimate.Sample
	// Slow holds those whose handling was slow. They are a stratum of their own:
	// every one left a span, and there is nothing to guess, unless there were more
	// than there may be late spans.
	Slow estimate.Sample
	// Spans is how many it is made from.
	Spans int
}

// Add takes note of span if it is the handling of a message by a process of that
// kind.
func (l *Latency) Add(span sdktrace.ReadOnlySpan, kind string) {
	attrs := span.Attributes()
	waited, own, slow := 0.0, false, false
	for _, kv := range attrs {
		switch kv.Key {
		case mailbox.ProcessKindKey:
			own = kv.Value.AsString() == kind
		case mailbox.QueueDurationKey:
			waited = kv.Value.AsFloat64()
		case mailbox.LateReasonKey:
			slow = kv.Value.AsString() == "slow"
		}
	}
	weight, ok := estimate.Weight(attrs)
	if !own || !ok {
		return
	}
	l.Spans++
	stage := estimate.StageOf(span.Parent().SpanID().String(), attrs)
	took := waited + span.EndTime().Sub(span.StartTime()).Seconds()
	l.All.Add(took, weight, stage)
	if slow {
		l.Slow.Add(took, weight, stage)
	}
}
