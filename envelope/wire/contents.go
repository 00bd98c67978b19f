// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"math"
	"sync/atomic"
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

// contents are the parts of a header that go from machine to machine, as both forms write
// them. A reader sets what it found, and has checked no more than the form.
type contents struct {
	traceID    trace.TraceID
	spanID     trace.SpanID
	flags      trace.TraceFlags
	traceState string // As the W3C has it in a header.
	baggage    string // The same.
	sent       uint64 // Nanoseconds since 1970; 0 means not known.
	hops       uint32 // 0 means not known.
	age        uint64 // Nanoseconds.
	fanout     fanout

	// Of a reader: parts that were there and could not be read.
	badTrace, badState, badChain, badBaggage bool
	seen                                     uint16 // Fields, to find those that are repeated.
	// doubted says that a boundary believes the trace's identifiers, and nothing else.
	doubted bool
}

// fanout says whether a fan-out sampled the recipient of the message, and whether it began a
// trace of its own then.
type fanout uint8

const (
	noFanout fanout = iota
	fanoutSampled
	fanoutLinked
)

// traced reports whether there is a trace to write.
func (c *contents) traced() bool { return c.traceID.IsValid() }

// chained reports whether there is a place in a chain to write, which only a sampled trace
// has.
func (c *contents) chained() bool { return c.hops > 0 }

// contentsOf returns the parts of h that travel. A skipped h has no sampled trace. A sentinel
// never travels, because it means something only within one operating system process.
// lossy says whether something had to be left out: members of the tracestate beyond the
// 32nd, or members of the baggage whose keys are not ASCII, or that no reader would take.
func contentsOf(h *header.Header) (c contents, lossy bool) {
	if h == nil {
		return c, false
	}
	if sc := h.SpanContext(); sc.IsValid() && !sentinel.Is(sc) {
		c.traceID, c.spanID, c.flags = sc.TraceID(), sc.SpanID(), sc.TraceFlags()&traceparent.KnownFlags
		var cut int
		c.traceState, cut = tracestate.Encode(sc.TraceState(), h.Beside())
		lossy = cut > 0
	}
	if bag := h.Baggage(); bag.Len() > 0 {
		var dropped int
		c.baggage, dropped = w3cbaggage.Encode(bag, w3cbaggage.Limits{})
		lossy = lossy || dropped > 0
	}
	if !h.Sampled() {
		return c, lossy
	}
	if sent := h.SentAt(); representable(sent) {
		c.sent = uint64(sent.UnixNano())
	}
	c.hops = uint32(max(h.Hops(), 1)) //nolint:gosec // They are bounded.
	c.age = uint64(max(h.Age(), 0))
	switch {
	case h.Linked():
		c.fanout = fanoutLinked
	case h.SampledByFanout():
		c.fanout = fanoutSampled
	}
	return c, lossy
}

// representable reports whether t fits in nanoseconds since 1970, as it does until 2262.
func representable(t time.Time) bool {
	s := t.Unix()
	return s > 0 && s < math.MaxInt64/int64(time.Second)
}

// cut leaves out the largest and least needed part: first the baggage, then the
// tracestate, then all. It reports whether there was something to leave out.
func (c *contents) cut() bool {
	switch {
	case c.baggage != "":
		c.baggage = ""
	case c.traceState != "":
		c.traceState = ""
	case *c != (contents{}):
		*c = contents{}
	default:
		return false
	}
	return true
}

// header returns the header that a reader found, or nil if it is empty, and counts what
// could not be read. A boundary decides what to believe of it. Without one all is believed.
func (c *contents) header(counters *Counters, boundary propagation.TextMapPropagator) *header.Header {
	defer func() { c.count(counters) }()
	if !c.traced() && c.baggage == "" {
		return nil
	}
	var to header.Content
	if boundary != nil {
		c.admit(&to, boundary)
	} else {
		c.believe(&to)
	}
	if sc := to.SpanContext; sc.IsSampled() && sc.SpanID() == c.spanID && sc.TraceID() == c.traceID {
		c.chain(&to)
	}
	return header.Of(to)
}

// believe sets the trace and the baggage of to as the message says.
func (c *contents) believe(to *header.Content) {
	if !c.badTrace && c.traced() {
		list, ok := tracestate.Read([]string{c.traceState})
		if c.badState = c.badState || !ok; c.badState {
			list = tracestate.List{}
		}
		c.badState = c.badState || list.Dropped > 0
		to.SpanContext = trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: c.traceID, SpanID: c.spanID, TraceFlags: c.flags, TraceState: list.State, Remote: true,
		})
		to.Beside = list.Beside(c.traceID)
	}
	if c.baggage != "" && !c.badBaggage {
		list := w3cbaggage.Read([]string{c.baggage}, w3cbaggage.Limits{})
		c.badBaggage = list.TooLong || list.Dropped() > 0
		to.Baggage, _ = baggage.New(list.Members...) // There is no error within these limits.
	}
}

// chain sets the time of sending and the place in the chain of messages in the content of
// a sampled header. Clocks differ between machines: a message from the future was sent now.
// From then on its age goes by this machine's clock, as for local messages. Hops and age
// above the bounds of a chain are cut to them. If they were taken for absent, a chain that
// never ends would begin anew.
func (c *contents) chain(to *header.Content) {
	now := time.Now()
	to.SentAt, to.Hops = now, 1
	if c.badChain || c.doubted {
		return
	}
	to.Crossed = c.sent > 0
	if ago := now.UnixNano() - int64(c.sent); c.sent > 0 && ago > 0 { //nolint:gosec // Readers see to it that it fits.
		to.SentAt = now.Add(-time.Duration(ago))
	}
	if c.hops > 0 {
		to.Hops = int(min(c.hops, header.MaxHops))
		to.Age = min(time.Duration(c.age), header.MaxAge) //nolint:gosec // Readers see to it that it fits.
		c.badChain = c.hops > header.MaxHops || c.age > uint64(header.MaxAge)
	}
	to.SampledByFanout, to.Linked = c.fanout >= fanoutSampled, c.fanout == fanoutLinked
}

func (c *contents) count(counters *Counters) {
	if c.badTrace {
		atomic.AddUint64(&counters.now().TraceMalformed, 1)
	}
	if c.badState {
		atomic.AddUint64(&counters.now().TraceStateRefused, 1)
	}
	if c.badChain {
		atomic.AddUint64(&counters.now().ChainMalformed, 1)
	}
	if c.badBaggage {
		atomic.AddUint64(&counters.now().BaggageRefused, 1)
	}
}

// setSent sets the time of sending, in nanoseconds since 1970.
func (c *contents) setSent(ns uint64) {
	if ns == 0 || ns > math.MaxInt64 {
		c.badChain = true
		return
	}
	c.sent = ns
}

// setTrace sets the identifiers of the trace.
func (c *contents) setTrace(traceID trace.TraceID, spanID trace.SpanID, flags trace.TraceFlags) {
	if !traceID.IsValid() || !spanID.IsValid() {
		c.badTrace = true
		return
	}
	c.traceID, c.spanID, c.flags = traceID, spanID, flags&traceparent.KnownFlags
}

// setChain sets the place in the chain.
func (c *contents) setChain(hops, age uint64) {
	if hops == 0 || hops > math.MaxUint32 || age > math.MaxInt64 {
		c.badChain = true
		return
	}
	c.hops, c.age = uint32(hops), age
}

// setFanout takes note of what a reader found, if it can be.
func (c *contents) setFanout(v fanout) {
	if v < fanoutSampled || v > fanoutLinked {
		c.badChain = true
		return
	}
	c.fanout = v
}
