// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate

import (
	"sync/atomic"

	"github.com/waybill-go/waybill/internal/observe"
)

// Counts is how often propagators met what changes or loses something. Each
// counts calls of Extract or Inject, unless it says otherwise.
type Counts struct {
	// Malformed is extractions whose traceparent was malformed or repeated, and
	// was read as absent.
	Malformed uint64
	// TraceStateRefused is extractions whose tracestate was invalid, and was left
	// out.
	TraceStateRefused uint64
	// TraceStateCut is members of a tracestate that were left out of an injection
	// because there were more than 32, or of an extraction because one with the
	// same key stood before them.
	TraceStateCut uint64
	// BaggageRefused is extractions whose baggage was not empty and had nothing
	// well-formed in it, or was longer than allowed. Its members are not counted
	// one by one.
	BaggageRefused uint64
	// BaggageDropped is members of baggage that were left out of an extraction or
	// an injection, because they were malformed, not allowed or beyond a limit, or
	// had a key in common with a later one.
	BaggageDropped uint64
	// UnsampledCarried is extractions and injections of an unsampled trace that
	// passed on its identifiers alone.
	UnsampledCarried uint64
	// UnsampledDropped is extractions and injections of an unsampled trace that
	// passed on nothing.
	UnsampledDropped uint64
	// BoundaryLinked is extractions at a boundary that made a link of the caller's
	// context instead of a parent.
	BoundaryLinked uint64
	// BoundaryIgnored is extractions at a boundary that ignored the caller's context.
	BoundaryIgnored uint64
}

// Counters counts for one or several propagators. Its zero value is ready, and
// any number of goroutines may use it at the same time.
type Counters struct {
	malformed         atomic.Uint64
	traceStateRefused atomic.Uint64
	traceStateCut     atomic.Uint64
	baggageRefused    atomic.Uint64
	baggageDropped    atomic.Uint64
	unsampledCarried  atomic.Uint64
	unsampledDropped  atomic.Uint64
	boundaryLinked    atomic.Uint64
	boundaryIgnored   atomic.Uint64

	metrics observe.Registry
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

// Counts returns what has been counted so far. Each figure is exact; together
// they may be of slightly different moments.
func (c *Counters) Counts() Counts {
	c = c.or()
	return Counts{
		Malformed:         c.malformed.Load(),
		TraceStateRefused: c.traceStateRefused.Load(),
		TraceStateCut:     c.traceStateCut.Load(),
		BaggageRefused:    c.baggageRefused.Load(),
		BaggageDropped:    c.baggageDropped.Load(),
		UnsampledCarried:  c.unsampledCarried.Load(),
		UnsampledDropped:  c.unsampledDropped.Load(),
		BoundaryLinked:    c.boundaryLinked.Load(),
		BoundaryIgnored:   c.boundaryIgnored.Load(),
	}
}
