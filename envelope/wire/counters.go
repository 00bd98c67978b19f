// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"errors"
	"fmt"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/waybill-go/waybill/internal/observe"
	"github.com/waybill-go/waybill/internal/wireform"
)

// Counters counts the messages that are read and written. One Counters may serve any
// number of values of [Config]. Its zero value is ready, and any number of goroutines may
// use it at the same time. It must not be copied once used. A nil Counters is that of
// [DefaultCounters].
type Counters struct {
	tally observe.Tally[figures]
}

var defaultCounters Counters

// DefaultCounters returns the counters of every [Config] that was given none.
func DefaultCounters() *Counters { return &defaultCounters }

// Counts is a summary of what a [Counters] has counted, in messages. The metrics of
// [Counters.RegisterMetrics] are finer: they tell the reasons apart.
type Counts struct {
	// Bare and Wrapped count the messages that [Config.Decode] was given, whatever became
	// of them. In a rollout, Bare rests once every writer wraps. Before a reader is rolled
	// back, Wrapped must rest.
	Bare, Wrapped uint64
	// Refused counts the messages for which [Config.Decode] returned an error.
	Refused uint64
	// WrittenBare and WrittenWrapped count the messages that [Config.Append] wrote.
	WrittenBare, WrittenWrapped uint64
	// Dropped counts how often a message was read or written without part of its header:
	// what was malformed in it, or what is beyond a limit. What is wrong with the text of a
	// trace, a tracestate or baggage, the [Config.Boundary] counts, if there is one.
	Dropped uint64
}

// Counts returns what has been counted so far. Each figure is exact. Together they may be
// of slightly different moments.
func (c *Counters) Counts() Counts {
	f := c.load()
	return Counts{
		Bare: f.Bare, Wrapped: f.Wrapped, WrittenBare: f.WrittenBare, WrittenWrapped: f.WrittenWrapped,
		Refused: f.Refused + f.Truncated + f.Malformed + f.Oversized + f.UnknownVersion + f.Undecodable,
		Dropped: f.TraceMalformed + f.TraceStateRefused + f.ChainMalformed + f.BaggageRefused + f.Cut,
	}
}

// RegisterMetrics reports what c counts as OpenTelemetry metrics. These are observable
// counters whose names begin with waybill.envelope. They are read whenever something
// collects, and make counting no slower.
//
// Every measurement has attrs, which are copied. To register several counters with one
// meter, give each attributes of its own. To end the reports call Unregister on the
// result, which keeps c until then.
//
// There is an error if the meter returns one, if it is nil, or if c is registered with it
// and the same attrs already. Then nothing is registered.
func (c *Counters) RegisterMetrics(meter metric.Meter, attrs ...attribute.KeyValue) (metric.Registration, error) {
	registration, err := c.or().tally.Register(meter, metrics, attrs)
	if err != nil {
		return nil, fmt.Errorf("wire: metrics: %w", err)
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

// fail counts a message that cannot be opened.
func (c *Counters) fail(err error) {
	switch {
	case errors.Is(err, ErrBare), errors.Is(err, ErrWrapped):
		atomic.AddUint64(&c.now().Refused, 1)
	case errors.Is(err, wireform.ErrTruncated):
		atomic.AddUint64(&c.now().Truncated, 1)
	case errors.Is(err, ErrOversized):
		atomic.AddUint64(&c.now().Oversized, 1)
	case errors.Is(err, ErrVersion):
		atomic.AddUint64(&c.now().UnknownVersion, 1)
	default:
		atomic.AddUint64(&c.now().Malformed, 1)
	}
}

// bad counts what could not be read of a header.
func (c *Counters) bad(of *wireform.Contents) {
	if of.BadTrace {
		atomic.AddUint64(&c.now().TraceMalformed, 1)
	}
	if of.BadState {
		atomic.AddUint64(&c.now().TraceStateRefused, 1)
	}
	if of.BadChain {
		atomic.AddUint64(&c.now().ChainMalformed, 1)
	}
	if of.BadBaggage {
		atomic.AddUint64(&c.now().BaggageRefused, 1)
	}
}
