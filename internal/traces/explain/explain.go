// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/mailbox/timings"
)

// Explanation says why a trace took as long as it did.
type Explanation struct {
	// Sentence says in plain English what took the largest share of the time, and what makes that
	// unsure. It is empty if there are no spans.
	Sentence string
	// Start is the beginning of the trace: when its root started, or before, when the root's
	// message was sent. Duration is from there until the last span ended.
	Start    time.Time
	Duration time.Duration
	// Path is the critical path. Its steps follow each other and cover the whole of the time.
	Path []Step
}

// Busiest is what a process spent most of a minute with.
type Busiest struct {
	// Message is the type of the messages.
	Message string
	// Share is their share of the minute, from 0 to 1. Took is the same as a time, or 0 if that is
	// not known.
	Share float64
	Took  time.Duration
	// Busy is how long all handlings of the process took in the minute, or 0 if that is not known.
	Busy time.Duration
	// Estimated says that not all messages were timed.
	Estimated bool
}

// Activity tells with what a process spent most of the minute that at is in. It reports false if it
// does not know the process or the minute. Explain calls it a few times.
type Activity func(kind, id string, at time.Time) (Busiest, bool)

// FromTimings returns what store knows. A nil store knows nothing.
func FromTimings(store *timings.Store) Activity {
	return func(kind, id string, at time.Time) (Busiest, bool) {
		if store == nil {
			return Busiest{}, false
		}
		for _, m := range store.Process(kind, id) {
			if at.Before(m.Begin) || !at.Before(m.Begin.Add(time.Minute)) || len(m.Types) == 0 {
				continue
			}
			row := m.Types[0]
			return Busiest{Message: row.Type, Share: row.Share, Took: row.Busy, Busy: m.All.Busy, Estimated: row.Timed < row.Count}, true
		}
		return Busiest{}, false
	}
}

// Explain explains a trace from all of its spans. did tells what processes did; it may be nil.
func Explain(spans []sdktrace.ReadOnlySpan, did Activity) Explanation {
	return Part(spans, 0, did)
}

// Part is like Explain for a trace of which leftOut further spans were not kept.
func Part(spans []sdktrace.ReadOnlySpan, leftOut int, did Activity) Explanation {
	p := plant(spans).walkBack()
	if p.last == none {
		return Explanation{}
	}
	e := Explanation{Start: p.at(p.from), Duration: time.Duration(p.end[p.last] - p.from)}
	for _, s := range p.steps {
		e.Path = append(e.Path, Step{Span: p.spans[s.span].id.span, From: p.at(s.from), To: p.at(s.to), What: s.what})
	}
	e.Sentence = (&writer{path: p, total: e.Duration, leftOut: leftOut, did: did}).sentence()
	return e
}
