// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package wireform has what of a header goes from one machine to another, and the binary form
// of it and of its message. Packages envelope/wire and propagate/grpcstream share it.
package wireform

import (
	"math"
	"time"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/sentinel"
	"github.com/waybill-go/waybill/internal/traceparent"
	"github.com/waybill-go/waybill/internal/tracestate"
	"github.com/waybill-go/waybill/internal/w3cbaggage"
)

// Contents are the parts of a header that go from machine to machine, as all forms write
// them. A reader sets what it found, and has checked no more than the form.
type Contents struct {
	TraceID    trace.TraceID
	SpanID     trace.SpanID
	Flags      trace.TraceFlags
	TraceState string // As the W3C has it in a header.
	Baggage    string // The same.
	Sent       uint64 // Nanoseconds since 1970; 0 means not known.
	Hops       uint32 // 0 means not known.
	Age        uint64 // Nanoseconds.
	Fanout     Fanout

	// Of a reader: parts that were there and could not be read.
	BadTrace, BadState, BadChain, BadBaggage bool

	seen uint16 // Fields, to find those that are repeated.
	// doubted says that a boundary believes the trace's identifiers, and nothing else.
	doubted bool
}

// Fanout says whether a fan-out sampled the recipient of the message, and whether it began a
// trace of its own then.
type Fanout uint8

// What a fan-out may have done.
const (
	NoFanout Fanout = iota
	FanoutSampled
	FanoutLinked
)

// Traced reports whether there is a trace to write.
func (c *Contents) Traced() bool { return c.TraceID.IsValid() }

// Chained reports whether there is a place in a chain to write, which only a sampled trace
// has.
func (c *Contents) Chained() bool { return c.Hops > 0 }

// Set sets c, which is empty, to the parts of h that travel. A skipped h has no sampled trace.
// A sentinel never travels, because it means something only within one operating system
// process. lossy says whether something had to be left out: members of the tracestate beyond
// the 32nd, or members of the baggage whose keys are not ASCII, or that no reader would take.
func (c *Contents) Set(h *header.Header) (lossy bool) {
	if h == nil {
		return false
	}
	if sc := h.SpanContext(); sc.IsValid() && !sentinel.Is(sc) {
		c.TraceID, c.SpanID, c.Flags = sc.TraceID(), sc.SpanID(), sc.TraceFlags()&traceparent.KnownFlags
		var cut int
		c.TraceState, cut = tracestate.Encode(sc.TraceState(), h.Beside())
		lossy = cut > 0
	}
	if bag := h.Baggage(); bag.Len() > 0 {
		var dropped int
		c.Baggage, dropped = w3cbaggage.Encode(bag, w3cbaggage.Limits{})
		lossy = lossy || dropped > 0
	}
	if !h.Sampled() {
		return lossy
	}
	if sent := h.SentAt(); Representable(sent) {
		c.Sent = uint64(sent.UnixNano())
	}
	c.Hops = uint32(max(h.Hops(), 1)) //nolint:gosec // They are bounded.
	c.Age = uint64(max(h.Age(), 0))
	switch {
	case h.Linked():
		c.Fanout = FanoutLinked
	case h.SampledByFanout():
		c.Fanout = FanoutSampled
	}
	return lossy
}

// Representable reports whether t fits in nanoseconds since 1970, as it does until 2262.
func Representable(t time.Time) bool {
	s := t.Unix()
	return s > 0 && s < math.MaxInt64/int64(time.Second)
}

// Cut leaves out the largest and least needed part: first the baggage, then the
// tracestate, then all. It reports whether there was something to leave out.
func (c *Contents) Cut() bool {
	switch {
	case c.Baggage != "":
		c.Baggage = ""
	case c.TraceState != "":
		c.TraceState = ""
	case *c != (Contents{}):
		*c = Contents{}
	default:
		return false
	}
	return true
}

// Header returns the header that a reader has found at now, or nil if it is empty. If now is the
// zero time, it looks at the clock, and only for a sampled trace. A boundary decides what to
// believe of it. Without one all is believed. From then on c also says which of the parts that
// were found are bad. of is [header.Of] or [header.OfOne].
func (c *Contents) Header(
	now time.Time, boundary propagation.TextMapPropagator, of func(header.Content) *header.Header,
) *header.Header {
	if !c.Traced() && c.Baggage == "" {
		return nil
	}
	var to header.Content
	if boundary != nil {
		c.admit(&to, boundary)
	} else {
		c.believe(&to)
	}
	if sc := to.SpanContext; sc.IsSampled() && sc.SpanID() == c.SpanID && sc.TraceID() == c.TraceID {
		c.chain(&to, now)
	}
	return of(to)
}

// believe sets the trace and the baggage of to as the message says.
func (c *Contents) believe(to *header.Content) {
	if !c.BadTrace && c.Traced() {
		list, ok := tracestate.Read([]string{c.TraceState})
		if c.BadState = c.BadState || !ok; c.BadState {
			list = tracestate.List{}
		}
		c.BadState = c.BadState || list.Dropped > 0
		to.SpanContext = trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: c.TraceID, SpanID: c.SpanID, TraceFlags: c.Flags, TraceState: list.State, Remote: true,
		})
		to.Beside = list.Beside(c.TraceID)
	}
	if c.Baggage != "" && !c.BadBaggage {
		list := w3cbaggage.Read([]string{c.Baggage}, w3cbaggage.Limits{})
		c.BadBaggage = list.TooLong || list.Dropped() > 0
		to.Baggage, _ = baggage.New(list.Members...) // There is no error within these limits.
	}
}

// AppendTraceParent appends the identifiers as in the header of W3C Trace Context.
func (c *Contents) AppendTraceParent(b []byte) []byte {
	return traceparent.Append(b, c.TraceID, c.SpanID, c.Flags)
}

// Bad returns how many parts that were found could not be read.
func (c *Contents) Bad() (n uint64) {
	for _, bad := range [...]bool{c.BadTrace, c.BadState, c.BadChain, c.BadBaggage} {
		if bad {
			n++
		}
	}
	return n
}

// chain sets the time of sending and the place in the chain of messages in the content of
// a sampled header. Clocks differ between machines: a message from the future was sent now.
// From then on its age goes by this machine's clock, as for local messages. Hops and age
// above the bounds of a chain are cut to them. If they were taken for absent, a chain that
// never ends would begin anew.
func (c *Contents) chain(to *header.Content, now time.Time) {
	if now.IsZero() {
		now = time.Now()
	}
	to.SentAt, to.Hops = now, 1
	if c.BadChain || c.doubted {
		return
	}
	to.Crossed = c.Sent > 0
	if ago := now.UnixNano() - int64(c.Sent); c.Sent > 0 && ago > 0 { //nolint:gosec // Readers see to it that it fits.
		to.SentAt = now.Add(-time.Duration(ago))
	}
	if c.Hops > 0 {
		to.Hops = int(min(c.Hops, header.MaxHops))
		to.Age = min(time.Duration(c.Age), header.MaxAge) //nolint:gosec // Readers see to it that it fits.
		c.BadChain = c.Hops > header.MaxHops || c.Age > uint64(header.MaxAge)
	}
	to.SampledByFanout, to.Linked = c.Fanout >= FanoutSampled, c.Fanout == FanoutLinked
}

// SetSent sets the time of sending, in nanoseconds since 1970.
func (c *Contents) SetSent(ns uint64) {
	if ns == 0 || ns > math.MaxInt64 {
		c.BadChain = true
		return
	}
	c.Sent = ns
}

// SetTrace sets the identifiers of the trace.
func (c *Contents) SetTrace(traceID trace.TraceID, spanID trace.SpanID, flags trace.TraceFlags) {
	if !traceID.IsValid() || !spanID.IsValid() {
		c.BadTrace = true
		return
	}
	c.TraceID, c.SpanID, c.Flags = traceID, spanID, flags&traceparent.KnownFlags
}

// SetChain sets the place in the chain.
func (c *Contents) SetChain(hops, age uint64) {
	if hops == 0 || hops > math.MaxUint32 || age > math.MaxInt64 {
		c.BadChain = true
		return
	}
	c.Hops, c.Age = uint32(hops), age
}

// SetFanout takes note of what a reader found, if it can be.
func (c *Contents) SetFanout(v Fanout) {
	if v < FanoutSampled || v > FanoutLinked {
		c.BadChain = true
		return
	}
	c.Fanout = v
}
