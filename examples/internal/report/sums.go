// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"context"
	"sync"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// maxObserved bounds how many spans an estimate is made from, which takes some 700
// bytes for each.
const maxObserved = 60_000

// Sums sums up spans as they end, so that none needs to be kept for it.
type Sums struct {
	mu        sync.Mutex
	finished  bool
	totals    Totals
	latencies latencies
}

// Totals is what [Sums] has summed up.
type Totals struct {
	Fanouts Fanouts
	Latency Latency
	// Unobserved counts the spans that are not in Latency because there were too
	// many. An estimate from the others would be of a part of the time.
	Unobserved int
}

var _ sdktrace.SpanProcessor = (*Sums)(nil)

// NewSums begins to sum up. Latency is about messages to processes of that kind, in
// traces that a sampler keeps with the probability head: of all, and of the traces that
// were kept if it is 0 because nobody knows.
func NewSums(kind string, head float64) *Sums {
	s := &Sums{latencies: latencies{kind: kind}}
	s.latencies.spans.AssumeHead(head)
	return s
}

// OnStart implements sdktrace.SpanProcessor.
func (*Sums) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd implements sdktrace.SpanProcessor.
func (s *Sums) OnEnd(span sdktrace.ReadOnlySpan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.finished {
		return
	}
	s.totals.Fanouts.Add(span)
	if s.latencies.kept >= maxObserved {
		s.totals.Unobserved++
		return
	}
	s.latencies.add(span)
}

// Finish returns what there is, and lets go of it: what ends later is not summed up.
func (s *Sums) Finish() Totals {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.finished {
		return Totals{}
	}
	totals := s.totals
	totals.Latency = s.latencies.latency()
	s.finished, s.totals, s.latencies = true, Totals{}, latencies{}
	return totals
}

// Shutdown implements sdktrace.SpanProcessor.
func (*Sums) Shutdown(context.Context) error { return nil }

// ForceFlush implements sdktrace.SpanProcessor.
func (*Sums) ForceFlush(context.Context) error { return nil }
