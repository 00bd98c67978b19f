// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire

import "github.com/waybill-go/waybill/internal/observe"

// figures are what a [Counters] counts, each one a metric.
type figures struct {
	// Of messages that were read:
	Bare, Wrapped  uint64
	Refused        uint64 // because they were bare or wrapped
	Truncated      uint64
	Malformed      uint64
	Oversized      uint64
	UnknownVersion uint64
	Undecodable    uint64 // by the codec

	// Of what was left out of a header that was read:
	TraceMalformed    uint64
	TraceStateRefused uint64
	ChainMalformed    uint64
	BaggageRefused    uint64

	// Of messages that were written:
	WrittenBare, WrittenWrapped uint64
	Cut                         uint64 // without part of their headers
}

// metrics are the figures as metrics.
var metrics = []observe.Field[figures]{
	observe.NewField("waybill.envelope.read.bare", "{message}", "Messages read that were bare.",
		func(f *figures) *uint64 { return &f.Bare }),
	observe.NewField("waybill.envelope.read.wrapped", "{message}", "Messages read that were wrapped.",
		func(f *figures) *uint64 { return &f.Wrapped }),
	observe.NewField("waybill.envelope.read.refused", "{message}", "Messages read in a form that the reader does not accept.",
		func(f *figures) *uint64 { return &f.Refused }),
	observe.NewField("waybill.envelope.read.truncated", "{message}", "Wrapped messages that ended too early.",
		func(f *figures) *uint64 { return &f.Truncated }),
	observe.NewField("waybill.envelope.read.malformed", "{message}", "Wrapped messages that could not be opened.",
		func(f *figures) *uint64 { return &f.Malformed }),
	observe.NewField("waybill.envelope.read.oversized", "{message}", "Messages read that were above a limit.",
		func(f *figures) *uint64 { return &f.Oversized }),
	observe.NewField("waybill.envelope.read.unknown_version", "{message}", "Wrapped messages that need a newer reader.",
		func(f *figures) *uint64 { return &f.UnknownVersion }),
	observe.NewField("waybill.envelope.read.undecodable", "{message}", "Messages that the codec could not read.",
		func(f *figures) *uint64 { return &f.Undecodable }),
	observe.NewField("waybill.envelope.trace.malformed", "{message}", "Messages whose trace was malformed and read as absent.",
		func(f *figures) *uint64 { return &f.TraceMalformed }),
	observe.NewField("waybill.envelope.tracestate.refused", "{message}", "Messages whose tracestate was invalid and left out.",
		func(f *figures) *uint64 { return &f.TraceStateRefused }),
	observe.NewField("waybill.envelope.chain.malformed", "{message}", "Messages whose time of sending, hops, age or fan-out was malformed and left out, or cut to its bound.",
		func(f *figures) *uint64 { return &f.ChainMalformed }),
	observe.NewField("waybill.envelope.baggage.refused", "{message}", "Messages whose baggage was invalid, in part or in whole.",
		func(f *figures) *uint64 { return &f.BaggageRefused }),
	observe.NewField("waybill.envelope.written.bare", "{message}", "Messages written bare.",
		func(f *figures) *uint64 { return &f.WrittenBare }),
	observe.NewField("waybill.envelope.written.wrapped", "{message}", "Messages written wrapped.",
		func(f *figures) *uint64 { return &f.WrittenWrapped }),
	observe.NewField("waybill.envelope.written.cut", "{message}", "Messages written without some of what their header has.",
		func(f *figures) *uint64 { return &f.Cut }),
}
