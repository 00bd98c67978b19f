// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate

import (
	"github.com/waybill-go/waybill/internal/observe"
)

// Counts is what propagators have counted: calls of Extract or Inject, unless a field
// says otherwise.
type Counts struct {
	// Malformed counts the extractions whose traceparent was malformed or repeated.
	// It was read as absent.
	Malformed uint64
	// TraceStateRefused counts the extractions whose tracestate was invalid. It was
	// left out.
	TraceStateRefused uint64
	// TraceStateCut counts the members of a tracestate that were left out of an
	// injection because there were more than 32, or of an extraction because one with
	// the same key stood before them.
	TraceStateCut uint64
	// BaggageRefused counts the extractions whose baggage was not empty and had nothing
	// well-formed in it, or was longer than allowed. Its members are not counted one by
	// one.
	BaggageRefused uint64
	// BaggageDropped counts the members of baggage that were left out of an extraction
	// or an injection, because they were malformed, not allowed or beyond a limit, or
	// had a key in common with a later one.
	BaggageDropped uint64
	// UnsampledCarried counts the extractions and injections of an unsampled trace that
	// passed on its identifiers alone.
	UnsampledCarried uint64
	// UnsampledDropped counts the extractions and injections of an unsampled trace that
	// passed on nothing.
	UnsampledDropped uint64
	// BoundaryLinked counts the extractions at a boundary that made a link of the
	// caller's context instead of a parent.
	BoundaryLinked uint64
	// BoundaryIgnored counts the extractions at a boundary that ignored the caller's
	// context.
	BoundaryIgnored uint64
}

// Counters counts for one or several propagators. Its zero value is ready, and
// any number of goroutines may use it at the same time.
type Counters struct {
	tally observe.Tally[Counts]
}

var defaultCounters Counters

// DefaultCounters returns the counters of all propagators that were given none.
func DefaultCounters() *Counters { return &defaultCounters }

// or returns c, or the default ones if it is nil.
func (c *Counters) or() *Counters {
	if c == nil {
		return &defaultCounters
	}
	return c
}

// now returns where it is counted, which package atomic must add to.
func (c *Counters) now() *Counts { return &c.or().tally.Now }

// Counts returns what has been counted so far. Each figure is exact; together
// they may be of slightly different moments.
func (c *Counters) Counts() Counts { return c.or().tally.Load(figures) }
