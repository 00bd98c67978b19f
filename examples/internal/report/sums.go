// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"context"
	"sync"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// maxObserved bounds how many spans an estimate rests on. Each takes about 700 bytes.
const maxObserved = 60_000

// Sums adds up spans as they end, so that they need not be kept.
type Sums struct {
	mu        sync.Mutex
	finished  bool
	totals    Totals
	latencies latencies
}

// Totals holds what [Sums] has added up.
type Totals struct {
	Fanouts Fanouts
	Latency Latency
	// Unobserved counts the spans that are not in Latency because there were too many.
	// If there are any, Latency is about a part of the time only.
	Unobserved int
}

var _ sdktrace.SpanProcessor = (*Sums)(nil)

// NewSums returns an empty Sums. Its Latency is about messages to processes of that
// kind. head is the probability with which a sampler keeps a trace. If it is 0, nobody
// knows it, and Latency is about the kept traces only.
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

// Finish returns the totals, and frees what Sums holds. Spans that end later are not
// added.
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
