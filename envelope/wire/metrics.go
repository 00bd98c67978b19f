// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/waybill-go/waybill/internal/observe"
)

// figures are the fields of [Counts] as metrics.
var figures = []observe.Field[Counts]{
	observe.NewField("waybill.envelope.read.bare", "{message}", "Messages read that were bare.",
		func(c *Counts) *uint64 { return &c.Bare }),
	observe.NewField("waybill.envelope.read.wrapped", "{message}", "Messages read that were wrapped.",
		func(c *Counts) *uint64 { return &c.Wrapped }),
	observe.NewField("waybill.envelope.read.refused", "{message}", "Messages read in a form that the reader does not accept.",
		func(c *Counts) *uint64 { return &c.Refused }),
	observe.NewField("waybill.envelope.read.truncated", "{message}", "Wrapped messages that ended too early.",
		func(c *Counts) *uint64 { return &c.Truncated }),
	observe.NewField("waybill.envelope.read.malformed", "{message}", "Wrapped messages that could not be opened.",
		func(c *Counts) *uint64 { return &c.Malformed }),
	observe.NewField("waybill.envelope.read.oversized", "{message}", "Messages read that were above a limit.",
		func(c *Counts) *uint64 { return &c.Oversized }),
	observe.NewField("waybill.envelope.read.unknown_version", "{message}", "Wrapped messages that need a newer reader.",
		func(c *Counts) *uint64 { return &c.UnknownVersion }),
	observe.NewField("waybill.envelope.read.undecodable", "{message}", "Messages that the codec could not read.",
		func(c *Counts) *uint64 { return &c.Undecodable }),
	observe.NewField("waybill.envelope.trace.malformed", "{message}", "Messages whose trace was malformed and read as absent.",
		func(c *Counts) *uint64 { return &c.TraceMalformed }),
	observe.NewField("waybill.envelope.tracestate.refused", "{message}", "Messages whose tracestate was invalid and left out.",
		func(c *Counts) *uint64 { return &c.TraceStateRefused }),
	observe.NewField("waybill.envelope.chain.malformed", "{message}", "Messages whose time of sending, hops, age or choice was malformed and left out, or cut to its bound.",
		func(c *Counts) *uint64 { return &c.ChainMalformed }),
	observe.NewField("waybill.envelope.baggage.refused", "{message}", "Messages whose baggage was invalid, in part or in whole.",
		func(c *Counts) *uint64 { return &c.BaggageRefused }),
	observe.NewField("waybill.envelope.written.bare", "{message}", "Messages written bare.",
		func(c *Counts) *uint64 { return &c.WrittenBare }),
	observe.NewField("waybill.envelope.written.wrapped", "{message}", "Messages written wrapped.",
		func(c *Counts) *uint64 { return &c.WrittenWrapped }),
	observe.NewField("waybill.envelope.written.cut", "{message}", "Messages written without some of what their header has.",
		func(c *Counts) *uint64 { return &c.Cut }),
}

// RegisterMetrics reports what c counts as OpenTelemetry metrics: an observable
// counter for each field of [Counts], under a name that begins with
// waybill.envelope, read whenever something collects. Counting costs no more
// than before.
//
// Every measurement has attrs, which are copied: counters that are registered
// with one meter beside others need attributes that tell them apart. To end the
// reports call Unregister on the result; until then c is kept. An error comes
// from the meter, from there being none, or from c being registered with it and the
// same attrs already, and then nothing is registered.
func (c *Counters) RegisterMetrics(meter metric.Meter, attrs ...attribute.KeyValue) (metric.Registration, error) {
	registration, err := c.or().tally.Register(meter, figures, attrs)
	if err != nil {
		return nil, fmt.Errorf("wire: metrics: %w", err)
	}
	return registration, nil
}
