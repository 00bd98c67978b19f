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

// cargo is what of a header goes from machine to machine, as both forms write
// it. A reader fills it with what it found, checked only as far as its form goes.
type cargo struct {
	traceID    trace.TraceID
	spanID     trace.SpanID
	flags      trace.TraceFlags
	traceState string // As the W3C has it in a header.
	baggage    string // The same.
	sent       uint64 // Nanoseconds since 1970; 0 means not known.
	hops       uint32 // 0 means not known.
	age        uint64 // Nanoseconds.
	choice     choice

	// Of a reader: parts that were there and could not be read.
	badTrace, badState, badChain, badBaggage bool
	seen                                     uint16 // Fields, to find those that are repeated.
}

// choice is how a choice among the recipients of a fan-out went, if there was
// one and it fell on the message.
type choice uint8

const (
	noChoice choice = iota
	choseIt
	choseLinked
)

// traced reports whether there is a trace to write.
func (c *cargo) traced() bool { return c.traceID.IsValid() }

// chained reports whether there is a chain to write, which only a sampled trace
// has.
func (c *cargo) chained() bool { return c.hops > 0 }

// loadCargo returns what of h travels: nothing sampled if h was skipped, and never a
// sentinel, which means something to one operating system process only. It says
// whether something had to be left out: members of the tracestate beyond the
// 32nd, or of the baggage because of their keys, as the W3C knows only ASCII
// ones, or because no reader would take them.
func loadCargo(h *header.Header) (c cargo, lossy bool) {
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
		c.choice = choseLinked
	case h.Chosen():
		c.choice = choseIt
	}
	return c, lossy
}

// representable reports whether t can be said in nanoseconds since 1970, as is
// the case until 2262.
func representable(t time.Time) bool {
	s := t.Unix()
	return s > 0 && s < math.MaxInt64/int64(time.Second)
}

// cut leaves out what is largest and least needed: the baggage, then the
// tracestate, then all. It reports whether something was left to leave out.
func (c *cargo) cut() bool {
	switch {
	case c.baggage != "":
		c.baggage = ""
	case c.traceState != "":
		c.traceState = ""
	case *c != (cargo{}):
		*c = cargo{}
	default:
		return false
	}
	return true
}

// header returns the header that a reader found, nil if there was nothing in it,
// and counts what could not be read. What it found is a claim of whoever wrote the
// message: with a boundary, that decides what is believed of it.
func (c *cargo) header(counters *Counters, boundary propagation.TextMapPropagator) *header.Header {
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

// believe gives to the trace and the baggage of a message.
func (c *cargo) believe(to *header.Content) {
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

// chain gives the content of a sampled header its place in the chain of messages. Clocks differ
// between machines: a message from the future was sent now. All that is asked
// about its age later goes by this machine's clock, as for its own messages. What is
// beyond the bounds of a chain is cut to them: were it taken as absent, a chain that
// never ends would begin anew.
func (c *cargo) chain(to *header.Content) {
	now := time.Now()
	to.SentAt, to.Hops = now, 1
	if c.badChain {
		return
	}
	if ago := now.UnixNano() - int64(c.sent); c.sent > 0 && ago > 0 { //nolint:gosec // Readers see to it that it fits.
		to.SentAt = now.Add(-time.Duration(ago))
	}
	if c.hops > 0 {
		to.Hops = int(min(c.hops, header.MaxHops))
		to.Age = min(time.Duration(c.age), header.MaxAge) //nolint:gosec // Readers see to it that it fits.
		c.badChain = c.hops > header.MaxHops || c.age > uint64(header.MaxAge)
	}
	to.Chosen, to.Linked = c.choice >= choseIt, c.choice == choseLinked
}

func (c *cargo) count(counters *Counters) {
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

// setSent takes the time of sending over from a message, in nanoseconds since
// 1970.
func (c *cargo) setSent(ns uint64) {
	if ns == 0 || ns > math.MaxInt64 {
		c.badChain = true
		return
	}
	c.sent = ns
}

// setTrace takes the identifiers over from a message.
func (c *cargo) setTrace(traceID trace.TraceID, spanID trace.SpanID, flags trace.TraceFlags) {
	if !traceID.IsValid() || !spanID.IsValid() {
		c.badTrace = true
		return
	}
	c.traceID, c.spanID, c.flags = traceID, spanID, flags&traceparent.KnownFlags
}

// setChain takes the place in the chain over from a message.
func (c *cargo) setChain(hops, age uint64) {
	if hops == 0 || hops > math.MaxUint32 || age > math.MaxInt64 {
		c.badChain = true
		return
	}
	c.hops, c.age = uint32(hops), age
}

// setChoice takes the choice over from a message.
func (c *cargo) setChoice(v choice) {
	if v < choseIt || v > choseLinked {
		c.badChain = true
		return
	}
	c.choice = v
}
