// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate

import (
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/waybill-go/waybill/internal/observe"
)

// Counters counts what propagators refuse, leave out, link and ignore. One Counters
// may serve any number of propagators, such as all those of one listener. Its zero
// value is ready, and any number of goroutines may use it at the same time. It must
// not be copied once used. A nil Counters is that of [DefaultCounters].
type Counters struct {
	tally observe.Tally[figures]
}

var defaultCounters Counters

// DefaultCounters returns the counters of all propagators that were given none.
func DefaultCounters() *Counters { return &defaultCounters }

// Counts is a summary of what a [Counters] has counted. The metrics of
// [Counters.RegisterMetrics] are finer: they tell the reasons apart.
type Counts struct {
	// Refused counts the headers that were refused whole, and read as absent:
	// traceparents that were malformed or repeated, tracestates that were invalid,
	// baggage that was too long or had nothing well-formed in it, and any of them that came
	// in two spellings with two values.
	Refused uint64
	// Dropped counts the members of a tracestate or of baggage that were left out of an
	// extraction or injection, because they were malformed, not allowed, beyond a limit,
	// or had the key of another member.
	Dropped uint64
	// Unsampled counts the extractions and injections in which a [SampledFirst] met an
	// unsampled trace, and passed on its identifiers alone, or nothing.
	Unsampled uint64
	// Linked counts the extractions in which a [Boundary] linked the caller's trace.
	Linked uint64
	// Ignored counts the extractions in which a [Boundary] ignored the caller's trace.
	Ignored uint64
}

// Counts returns what has been counted so far. Each figure is exact. Together they
// may be of slightly different moments.
func (c *Counters) Counts() Counts {
	f := c.load()
	return Counts{
		Refused:   f.Malformed + f.TraceStateRefused + f.BaggageRefused,
		Dropped:   f.TraceStateCut + f.BaggageDropped,
		Unsampled: f.UnsampledCarried + f.UnsampledDropped,
		Linked:    f.BoundaryLinked,
		Ignored:   f.BoundaryIgnored,
	}
}

// RegisterMetrics reports what c counts as OpenTelemetry metrics. These are
// observable counters whose names begin with waybill.propagate. They are read
// whenever something collects, and make counting no slower.
//
// Every measurement has attrs, which are copied. To register several counters with
// one meter, such as those of two listeners, give each attributes of its own. To end
// the reports call Unregister on the result, which keeps c until then.
//
// There is an error if the meter returns one, if it is nil, or if c is registered
// with it and the same attrs already. Then nothing is registered.
func (c *Counters) RegisterMetrics(meter metric.Meter, attrs ...attribute.KeyValue) (metric.Registration, error) {
	registration, err := c.or().tally.Register(meter, metrics, attrs)
	if err != nil {
		return nil, fmt.Errorf("propagate: metrics: %w", err)
	}
	return registration, nil
}

// or returns c, or the default counters if it is nil.
func (c *Counters) or() *Counters {
	if c == nil {
		return &defaultCounters
	}
	return c
}

// now returns where it is counted, to which package atomic must add.
func (c *Counters) now() *figures { return &c.or().tally.Now }

func (c *Counters) load() figures { return c.or().tally.Load(metrics) }
