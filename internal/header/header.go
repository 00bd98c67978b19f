// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package header has the header: what travels beside a message. Packages envelope,
// envelope/wire and mailbox share it. Users see envelope.Header, which is the same with
// fewer methods.
package header

import (
	"time"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/caller"
	"github.com/waybill-go/waybill/internal/tracestate"
)

// Header is the header of a message. It never changes, and any number of messages and
// goroutines may share it. A message that carries nothing has a nil Header, or one that says
// only that nobody may start a trace for it. All methods work on a nil Header.
type Header struct {
	spanContext trace.SpanContext
	beside      *tracestate.Beside // the rest of the tracestate of spanContext
	baggage     baggage.Baggage
	sentAt      time.Time
	// Where a sampled message is in the chain of messages of its trace.
	age  time.Duration
	hops int32
	// A fan-out skipped the recipient, so the message does not continue the trace of
	// spanContext. If shown is set, the recipient gets the unsampled span context.
	skipped, shown bool
	// A fan-out sampled the recipient. If linked is set, the handling begins a trace of
	// its own, with a link to spanContext.
	sampledByFanout, linked bool

	// The sender was in a trace, or in a handling without one, and the message carries
	// nothing of that. So nobody may start a trace for it.
	decided bool

	// sentAt is by the clock of whoever wrote the message, which may be of another machine.
	crossed bool

	// The message came from another machine, and took network to come here.
	remote  bool
	network time.Duration

	caller *caller.Caller // A boundary links to the caller's span. There is no spanContext.

	// Where the context of the message has room, for the first who makes one. Nil if there is
	// no room. Copies share it. Whoever keeps a header with room keeps its context too.
	room *chained
}

// Content is the content of the header of a message that came in.
type Content struct {
	SpanContext trace.SpanContext
	Beside      *tracestate.Beside // The rest of the tracestate of SpanContext.
	Baggage     baggage.Baggage
	SentAt      time.Time
	Crossed     bool // SentAt is by the clock of whoever wrote the message.
	Hops        int  // At most MaxHops.
	Age         time.Duration
	// SampledByFanout is set if a fan-out sampled the recipient, and Linked if that starts a
	// trace of its own.
	SampledByFanout, Linked bool
	Caller                  *caller.Caller // A boundary links to the caller's span.
	// Remote is set for a message that came from another machine and is handed to a process
	// here. Network is then how long it took, by the clocks of both machines: not negative.
	// SentAt is when it came here.
	Remote  bool
	Network time.Duration
}

// Of returns the header with that content, nil if the content is empty.
func Of(c Content) *Header {
	h := new(Header)
	h.set(&c)
	if h.Empty() {
		return nil
	}
	return h
}

// OfOne is Of for a message that is handled by one recipient, after which nobody needs the
// header any more. It is allocated together with room for its context.
func OfOne(c Content) *Header {
	if !c.SpanContext.IsSampled() || !c.SpanContext.IsValid() {
		return Of(c) // There is no context to make room for.
	}
	with := new(struct {
		header  Header
		context chained
	})
	with.header.set(&c)
	with.header.room = &with.context
	return &with.header
}

// set makes h, which is empty, the header with that content.
func (h *Header) set(c *Content) {
	h.spanContext, h.beside, h.baggage, h.caller = c.SpanContext, c.Beside, c.Baggage, c.Caller
	h.sentAt, h.crossed, h.age = c.SentAt, c.Crossed, c.Age
	h.hops = int32(min(c.Hops, MaxHops)) //nolint:gosec // As bounded.
	h.sampledByFanout, h.linked = c.SampledByFanout, c.Linked
	h.remote, h.network = c.Remote, max(c.Network, 0)
}

// Undecided reports whether a trace may be started for the message: not if its sender was
// in one, sampled or not, or in a handling without one, nor if a fan-out has skipped the
// recipient.
func (h *Header) Undecided() bool {
	return h == nil || !h.decided && !h.spanContext.IsValid() && h.caller == nil
}

// Empty reports whether the message carries nothing, apart from a decision.
func (h *Header) Empty() bool {
	return h == nil || !h.spanContext.IsValid() && h.baggage.Len() == 0 && h.caller == nil
}

// SpanContext returns the sender's span context. It is not valid if the message
// carries no trace.
func (h *Header) SpanContext() trace.SpanContext {
	switch {
	case h == nil, h.skipped && !h.shown:
		return trace.SpanContext{}
	case h.skipped:
		return h.spanContext.WithTraceFlags(h.spanContext.TraceFlags() &^ trace.FlagsSampled)
	default:
		return h.spanContext
	}
}

// Sampled reports whether the message carries a sampled trace.
func (h *Header) Sampled() bool { return h != nil && !h.skipped && h.spanContext.IsSampled() }

// Beside returns the members of the tracestate that SpanContext cannot hold, nil if
// there are none.
func (h *Header) Beside() *tracestate.Beside {
	if h == nil {
		return nil
	}
	return h.beside
}

// Baggage returns the sender's baggage, empty if there was none.
func (h *Header) Baggage() baggage.Baggage {
	if h == nil {
		return baggage.Baggage{}
	}
	return h.baggage
}

// SentAt returns the exact time at which a sampled or skipped message was sent, with
// its monotonic reading. For all others it returns the zero time.
func (h *Header) SentAt() time.Time {
	if h == nil {
		return time.Time{}
	}
	return h.sentAt
}

// Hops returns how many messages have handed the trace on, one after the other, with
// this one: 1 for the first. The chain begins where the trace came into an operating
// system process by other means than the wire forms. Hops is 0 for a message without a
// sampled trace, and at most MaxHops.
func (h *Header) Hops() int {
	if h == nil || h.skipped {
		return 0
	}
	return int(h.hops)
}

// Age returns the time from the sending of the first message that Hops counts to the
// sending of this one. It is at most MaxAge.
func (h *Header) Age() time.Duration {
	if h == nil || h.skipped {
		return 0
	}
	return h.age
}

// SampledByFanout reports whether a fan-out sampled the recipient.
func (h *Header) SampledByFanout() bool { return h != nil && h.sampledByFanout }

// Linked reports whether the handling of the message should start a trace of its own,
// with a link to the header's span context.
func (h *Header) Linked() bool { return h != nil && h.linked }

// Skipped returns the sampled span context that the message does not continue,
// because a fan-out skipped its recipient. It is not valid for any other message.
func (h *Header) Skipped() trace.SpanContext {
	if h == nil || !h.skipped {
		return trace.SpanContext{}
	}
	return h.spanContext
}

// Crossed reports whether the time of sending is by another clock than this machine's, as far
// as anybody knows here: the message was read from bytes.
func (h *Header) Crossed() bool { return h != nil && h.crossed }

// Network returns how long the message took from the machine of its sender to this one, as
// far as the clocks of the two tell, and whether it came from another one.
func (h *Header) Network() (took time.Duration, remote bool) {
	if h == nil {
		return 0, false
	}
	return h.network, h.remote
}

// Caller returns the caller to whose span a boundary links the new trace of the
// message, nil if there is none.
func (h *Header) Caller() *caller.Caller {
	if h == nil {
		return nil
	}
	return h.caller
}
