// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package grpcstream

import (
	"fmt"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/waybill-go/waybill/internal/observe"
)

// Counters counts messages of streams. One Counters may serve any number of streams. Its
// zero value is ready, and any number of goroutines may use it at the same time. It must
// not be copied once used. A nil Counters is that of [DefaultCounters].
type Counters struct {
	stripes [stripes]stripe
	last    atomic.Uint32 // The stripe that was given out last.
	metrics observe.Registry
}

// stripes is how many places there are to count at. Each Sender and each Receiver has one
// of them, so that processors that count at the same time seldom meet.
const stripes = 16

type stripe struct {
	tally observe.Tally[Counts]
	_     [64]byte // So that no two stripes share a cache line.
}

// stripe returns where a Sender or a Receiver counts, to which package atomic must add.
func (c *Counters) stripe() *Counts { return &c.stripes[c.last.Add(1)%stripes].tally.Now }

var defaultCounters Counters

// DefaultCounters returns the counters of every [Sender] and [Receiver] that was given
// none.
func DefaultCounters() *Counters { return &defaultCounters }

// Counts is what a [Counters] has counted, in messages.
type Counts struct {
	// SentBare and SentWrapped count the messages that were given to the stream, without a
	// trace or baggage and with some. The stream may still have failed to send them.
	SentBare, SentWrapped uint64
	// NotWritten counts the messages of SentBare whose trace or baggage could not travel:
	// because of their type, or of the codec of their stream. [Check] says why.
	NotWritten uint64
	// Bare and Wrapped count the messages that were received without the field and with
	// it. Untraced messages are bare, whoever sent them.
	Bare, Wrapped uint64
	// NotReadable counts the messages of Bare that would have been bare in any case, because
	// of their type, or because the codec loses fields that it does not know. [Check] says
	// why.
	NotReadable uint64
	// Malformed counts the messages of Wrapped whose field could not be read, or was there
	// more than once. They were handled as if bare.
	Malformed uint64
	// Dropped counts how often a part of a header was left out, when it was written or when
	// it was read: what was malformed in it, or beyond a limit.
	Dropped uint64
}

// Counts returns what has been counted so far. Each figure is exact. Together they may be
// of slightly different moments.
func (c *Counters) Counts() Counts {
	c = c.or()
	var sum Counts
	for i := range c.stripes {
		n := c.stripes[i].tally.Load(metrics)
		sum.SentBare += n.SentBare
		sum.SentWrapped += n.SentWrapped
		sum.NotWritten += n.NotWritten
		sum.Bare += n.Bare
		sum.Wrapped += n.Wrapped
		sum.NotReadable += n.NotReadable
		sum.Malformed += n.Malformed
		sum.Dropped += n.Dropped
	}
	return sum
}

// RegisterMetrics reports what c counts as OpenTelemetry metrics. These are observable
// counters whose names begin with waybill.grpcstream. They are read whenever something
// collects, and make counting no slower.
//
// Every measurement has attrs, which are copied. To register several counters with one
// meter, give each attributes of its own. To end the reports call Unregister on the
// result, which keeps c until then.
//
// There is an error if the meter returns one, if it is nil, or if c is registered with it
// and the same attrs already. Then nothing is registered.
func (c *Counters) RegisterMetrics(meter metric.Meter, attrs ...attribute.KeyValue) (metric.Registration, error) {
	c = c.or()
	registration, err := observe.Counters(&c.metrics, meter, c.Counts, metrics, attrs)
	if err != nil {
		return nil, fmt.Errorf("grpcstream: metrics: %w", err)
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

// metrics are the counts as metrics.
var metrics = []observe.Field[Counts]{
	observe.NewField("waybill.grpcstream.sent.bare", "{message}", "Messages sent on streams without a trace.",
		func(c *Counts) *uint64 { return &c.SentBare }),
	observe.NewField("waybill.grpcstream.sent.wrapped", "{message}", "Messages sent on streams with a trace or baggage.",
		func(c *Counts) *uint64 { return &c.SentWrapped }),
	observe.NewField("waybill.grpcstream.sent.not_written", "{message}", "Messages sent on streams whose trace could not travel.",
		func(c *Counts) *uint64 { return &c.NotWritten }),
	observe.NewField("waybill.grpcstream.received.bare", "{message}", "Messages received on streams without a trace.",
		func(c *Counts) *uint64 { return &c.Bare }),
	observe.NewField("waybill.grpcstream.received.wrapped", "{message}", "Messages received on streams with a trace or baggage.",
		func(c *Counts) *uint64 { return &c.Wrapped }),
	observe.NewField("waybill.grpcstream.received.not_readable", "{message}", "Messages received on streams that cannot show a trace.",
		func(c *Counts) *uint64 { return &c.NotReadable }),
	observe.NewField("waybill.grpcstream.received.malformed", "{message}", "Messages received on streams whose trace could not be read.",
		func(c *Counts) *uint64 { return &c.Malformed }),
	observe.NewField("waybill.grpcstream.dropped", "{message}", "Messages on streams without some of what their header had.",
		func(c *Counts) *uint64 { return &c.Dropped }),
}
