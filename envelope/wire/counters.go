// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"errors"
	"sync/atomic"

	"github.com/waybill-go/waybill/internal/observe"
)

// Counts is what [Config.Decode] and [Config.Append] met. Each counts messages. Of a
// Config with a Boundary, what is wrong with the text of a trace, tracestate or
// baggage is counted by that.
type Counts struct {
	// Bare and Wrapped are messages read, whatever became of them. In a rollout,
	// Bare rests once every writer wraps; before a reader is rolled back, Wrapped
	// must rest.
	Bare, Wrapped uint64
	// Refused is messages in the form that a reader does not accept.
	Refused uint64
	// Truncated is wrapped messages that end too early.
	Truncated uint64
	// Malformed is wrapped messages that cannot be opened for another reason.
	Malformed uint64
	// Oversized is messages above a limit, or with a header above one.
	Oversized uint64
	// UnknownVersion is wrapped messages that need a newer reader.
	UnknownVersion uint64
	// Undecodable is messages that the codec could not read.
	Undecodable uint64
	// TraceMalformed is messages whose trace was malformed, and was read as absent.
	TraceMalformed uint64
	// TraceStateRefused is messages whose tracestate was invalid, and was left out,
	// or had several members with one key, of which the first was kept.
	TraceStateRefused uint64
	// ChainMalformed is messages whose time of sending, hops, age or choice was
	// malformed, and was left out, or whose hops or age was above its bound, and was
	// cut to that.
	ChainMalformed uint64
	// BaggageRefused is messages whose baggage was invalid, in part or in whole, or
	// had several members with one key, of which the last was kept. What was valid in
	// it was kept.
	BaggageRefused uint64
	// WrittenBare and WrittenWrapped are messages written.
	WrittenBare, WrittenWrapped uint64
	// Cut is messages written without some of what their header has: without
	// baggage, and perhaps tracestate, because the header would have been above
	// the limit; or without members of the tracestate beyond the 32nd, or of the
	// baggage whose keys cannot be written or that are more than the W3C allows.
	Cut uint64
}

// Counters counts for one or several values of [Config]. Its zero value is ready,
// and any number of goroutines may use it at the same time.
type Counters struct {
	bare, wrapped               atomic.Uint64
	refused                     atomic.Uint64
	truncated                   atomic.Uint64
	malformed                   atomic.Uint64
	oversized                   atomic.Uint64
	unknownVersion              atomic.Uint64
	undecodable                 atomic.Uint64
	traceMalformed              atomic.Uint64
	traceStateRefused           atomic.Uint64
	chainMalformed              atomic.Uint64
	baggageRefused              atomic.Uint64
	writtenBare, writtenWrapped atomic.Uint64

	metrics observe.Registry
	cut     atomic.Uint64
}

var defaultCounters Counters

// DefaultCounters returns the counters of every [Config] that was given none.
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
		Bare:              c.bare.Load(),
		Wrapped:           c.wrapped.Load(),
		Refused:           c.refused.Load(),
		Truncated:         c.truncated.Load(),
		Malformed:         c.malformed.Load(),
		Oversized:         c.oversized.Load(),
		UnknownVersion:    c.unknownVersion.Load(),
		Undecodable:       c.undecodable.Load(),
		TraceMalformed:    c.traceMalformed.Load(),
		TraceStateRefused: c.traceStateRefused.Load(),
		ChainMalformed:    c.chainMalformed.Load(),
		BaggageRefused:    c.baggageRefused.Load(),
		WrittenBare:       c.writtenBare.Load(),
		WrittenWrapped:    c.writtenWrapped.Load(),
		Cut:               c.cut.Load(),
	}
}

// fail counts a message that cannot be opened.
func (c *Counters) fail(err error) {
	switch {
	case errors.Is(err, ErrBare), errors.Is(err, ErrWrapped):
		c.refused.Add(1)
	case errors.Is(err, ErrTruncated):
		c.truncated.Add(1)
	case errors.Is(err, ErrOversized):
		c.oversized.Add(1)
	case errors.Is(err, ErrVersion):
		c.unknownVersion.Add(1)
	default:
		c.malformed.Add(1)
	}
}
