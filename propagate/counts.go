// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate

import "sync/atomic"

// Counts is how often a propagator met what changes or loses something, since
// it was made. Each counts calls of Extract or Inject.
type Counts struct {
	// Malformed is extractions whose traceparent was malformed or repeated, and
	// was read as absent.
	Malformed uint64
	// TraceStateRefused is extractions of a sampled trace whose tracestate was
	// invalid, and was left out.
	TraceStateRefused uint64
	// BaggageRefused is extractions whose baggage was not empty and had nothing
	// valid in it. Single members that were left out are not counted.
	BaggageRefused uint64
	// UnsampledCarried is extractions and injections of an unsampled trace that
	// passed on its identifiers alone.
	UnsampledCarried uint64
	// UnsampledDropped is extractions and injections of an unsampled trace that
	// passed on nothing.
	UnsampledDropped uint64
}

type counters struct {
	malformed         atomic.Uint64
	traceStateRefused atomic.Uint64
	baggageRefused    atomic.Uint64
	unsampledCarried  atomic.Uint64
	unsampledDropped  atomic.Uint64
}

func (c *counters) read() Counts {
	return Counts{
		Malformed:         c.malformed.Load(),
		TraceStateRefused: c.traceStateRefused.Load(),
		BaggageRefused:    c.baggageRefused.Load(),
		UnsampledCarried:  c.unsampledCarried.Load(),
		UnsampledDropped:  c.unsampledDropped.Load(),
	}
}
