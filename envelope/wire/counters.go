// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"errors"
	"sync/atomic"

	"github.com/waybill-go/waybill/internal/observe"
)

// Counts is what [Config.Decode] and [Config.Append] have counted, in messages. What is
// wrong with the text of a trace, a tracestate or baggage, the boundary of a Config
// counts, if the Config has one.
type Counts struct {
	// Bare and Wrapped count the messages that were read, whatever became of them. In
	// a rollout, Bare rests once every writer wraps; before a reader is rolled back,
	// Wrapped must rest.
	Bare, Wrapped uint64
	// Refused counts the messages that were bare or wrapped where the reader does not
	// accept that.
	Refused uint64
	// Truncated counts the wrapped messages that end too early.
	Truncated uint64
	// Malformed counts the wrapped messages that cannot be opened for another reason.
	Malformed uint64
	// Oversized counts the messages that are above a limit, or whose header is.
	Oversized uint64
	// UnknownVersion counts the wrapped messages that need a newer reader.
	UnknownVersion uint64
	// Undecodable counts the messages that the codec could not read.
	Undecodable uint64
	// TraceMalformed counts the messages whose trace was malformed. They were read as
	// if they had none.
	TraceMalformed uint64
	// TraceStateRefused counts the messages whose tracestate was invalid, and was left
	// out, or had several members with one key, of which the first was kept.
	TraceStateRefused uint64
	// ChainMalformed counts the messages whose time of sending, hops, age or choice was
	// malformed, and was left out, or whose hops or age was above its bound, and was
	// cut to that.
	ChainMalformed uint64
	// BaggageRefused counts the messages whose baggage was invalid, in part or in
	// whole, or had several members with one key, of which the last was kept. What was
	// valid in it was kept.
	BaggageRefused uint64
	// WrittenBare and WrittenWrapped count the messages that were written.
	WrittenBare, WrittenWrapped uint64
	// Cut counts the messages that were written without some of what their header has:
	// without baggage, and perhaps tracestate, because the header would have been above
	// the limit; or without members of the tracestate beyond the 32nd, or without
	// members of the baggage whose keys cannot be written or that are more than the W3C
	// allows.
	Cut uint64
}

// Counters counts for one or several values of [Config]. Its zero value is ready,
// and any number of goroutines may use it at the same time.
type Counters struct {
	tally observe.Tally[Counts]
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

// now returns where it is counted, which package atomic must add to.
func (c *Counters) now() *Counts { return &c.or().tally.Now }

// Counts returns what has been counted so far. Each figure is exact; together
// they may be of slightly different moments.
func (c *Counters) Counts() Counts { return c.or().tally.Load(figures) }

// fail counts a message that cannot be opened.
func (c *Counters) fail(err error) {
	switch {
	case errors.Is(err, ErrBare), errors.Is(err, ErrWrapped):
		atomic.AddUint64(&c.now().Refused, 1)
	case errors.Is(err, ErrTruncated):
		atomic.AddUint64(&c.now().Truncated, 1)
	case errors.Is(err, ErrOversized):
		atomic.AddUint64(&c.now().Oversized, 1)
	case errors.Is(err, ErrVersion):
		atomic.AddUint64(&c.now().UnknownVersion, 1)
	default:
		atomic.AddUint64(&c.now().Malformed, 1)
	}
}
