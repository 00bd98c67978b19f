// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/waybill-go/waybill/internal/observe"
)

// figures are the metrics of [Counters.RegisterMetrics].
var figures = []observe.Counter[Counts]{
	{
		Name: "waybill.envelope.read.bare", Unit: "{message}",
		Description: "Messages read that were bare.",
		Value:       func(c Counts) uint64 { return c.Bare },
	},
	{
		Name: "waybill.envelope.read.wrapped", Unit: "{message}",
		Description: "Messages read that were wrapped.",
		Value:       func(c Counts) uint64 { return c.Wrapped },
	},
	{
		Name: "waybill.envelope.read.refused", Unit: "{message}",
		Description: "Messages read in a form that the reader does not accept.",
		Value:       func(c Counts) uint64 { return c.Refused },
	},
	{
		Name: "waybill.envelope.read.truncated", Unit: "{message}",
		Description: "Wrapped messages that ended too early.",
		Value:       func(c Counts) uint64 { return c.Truncated },
	},
	{
		Name: "waybill.envelope.read.malformed", Unit: "{message}",
		Description: "Wrapped messages that could not be opened.",
		Value:       func(c Counts) uint64 { return c.Malformed },
	},
	{
		Name: "waybill.envelope.read.oversized", Unit: "{message}",
		Description: "Messages read that were above a limit.",
		Value:       func(c Counts) uint64 { return c.Oversized },
	},
	{
		Name: "waybill.envelope.read.unknown_version", Unit: "{message}",
		Description: "Wrapped messages that need a newer reader.",
		Value:       func(c Counts) uint64 { return c.UnknownVersion },
	},
	{
		Name: "waybill.envelope.read.undecodable", Unit: "{message}",
		Description: "Messages that the codec could not read.",
		Value:       func(c Counts) uint64 { return c.Undecodable },
	},
	{
		Name: "waybill.envelope.trace.malformed", Unit: "{message}",
		Description: "Messages whose trace was malformed and read as absent.",
		Value:       func(c Counts) uint64 { return c.TraceMalformed },
	},
	{
		Name: "waybill.envelope.tracestate.refused", Unit: "{message}",
		Description: "Messages whose tracestate was invalid and left out.",
		Value:       func(c Counts) uint64 { return c.TraceStateRefused },
	},
	{
		Name: "waybill.envelope.chain.malformed", Unit: "{message}",
		Description: "Messages whose time of sending, hops, age or choice was malformed and left out, or cut to its bound.",
		Value:       func(c Counts) uint64 { return c.ChainMalformed },
	},
	{
		Name: "waybill.envelope.baggage.refused", Unit: "{message}",
		Description: "Messages whose baggage was invalid, in part or in whole.",
		Value:       func(c Counts) uint64 { return c.BaggageRefused },
	},
	{
		Name: "waybill.envelope.written.bare", Unit: "{message}",
		Description: "Messages written bare.",
		Value:       func(c Counts) uint64 { return c.WrittenBare },
	},
	{
		Name: "waybill.envelope.written.wrapped", Unit: "{message}",
		Description: "Messages written wrapped.",
		Value:       func(c Counts) uint64 { return c.WrittenWrapped },
	},
	{
		Name: "waybill.envelope.written.cut", Unit: "{message}",
		Description: "Messages written without some of what their header has.",
		Value:       func(c Counts) uint64 { return c.Cut },
	},
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
	registration, err := observe.Counters(&c.or().metrics, meter, c.or().Counts, figures, attrs)
	if err != nil {
		return nil, fmt.Errorf("wire: metrics: %w", err)
	}
	return registration, nil
}
