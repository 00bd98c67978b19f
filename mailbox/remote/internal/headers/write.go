// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package headers

import (
	"math"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/sentinel"
	"github.com/waybill-go/waybill/internal/traceparent"
	"github.com/waybill-go/waybill/internal/tracestate"
	"github.com/waybill-go/waybill/internal/w3cbaggage"
)

// maxWritten bounds the tracestate and the baggage of one message together, in bytes. It
// leaves room for all else in what a reader takes by default.
const maxWritten = defaultMaxBytes - 1024

// maxChain bounds the value of waybill-chain, in bytes.
const maxChain = 64

// Write writes what travels of h into a map, and returns that. If there is something to
// write and into is nil, it makes the map; otherwise it changes into, in which no key of
// this package stays as it was. now is when the message is written; the zero time means the
// present.
//
// If nothing of h travels, and into is nil, Write returns nil and does not allocate. That is
// so for a message without a trace and without baggage, for a recipient that a fan-out has
// skipped, and for a sentinel.
//
// cut says whether something was left out: members of the tracestate beyond the 32nd,
// members of the baggage that no reader would take, or all baggage, and then the whole
// tracestate, if both are too long together.
func Write(h *header.Header, into map[string][]string, now time.Time) (out map[string][]string, cut bool) {
	if into != nil {
		for i := range fields {
			fields[i].remove(into)
		}
	}
	sc := h.SpanContext()
	traced := sc.IsValid() && !sentinel.Is(sc)
	if !traced && h.Baggage().Len() == 0 {
		return into, false
	}
	state, bag, cut := texts(h, sc, traced)
	if !traced && bag == "" {
		return into, cut
	}
	if into == nil {
		into = make(map[string][]string, len(fields))
	}
	if traced {
		var parent [traceparent.Size]byte
		set(into, parentField, string(traceparent.Append(parent[:0], sc.TraceID(), sc.SpanID(), sc.TraceFlags())))
		set(into, stateField, state)
	}
	set(into, baggageField, bag)
	if traced && h.Sampled() {
		writeChain(h, into, now)
	}
	return into, cut
}

// texts returns the tracestate and the baggage of h, within their bounds.
func texts(h *header.Header, sc trace.SpanContext, traced bool) (state, bag string, cut bool) {
	if traced {
		var members int
		state, members = tracestate.Encode(sc.TraceState(), h.Beside())
		cut = members > 0
	}
	if h.Baggage().Len() > 0 {
		var members int
		bag, members = w3cbaggage.Encode(h.Baggage(), w3cbaggage.Limits{})
		cut = cut || members > 0
	}
	if len(state)+len(bag) > maxWritten {
		bag, cut = "", true
	}
	if len(state) > maxWritten {
		state = ""
	}
	return state, bag, cut
}

// writeChain writes when a sampled message is written, and its place in the chain of
// messages. What the message has waited on this machine until now is part of its age.
func writeChain(h *header.Header, into map[string][]string, now time.Time) {
	if now.IsZero() {
		now = time.Now()
	}
	age := h.Age()
	if sent := h.SentAt(); !sent.IsZero() {
		age += min(max(now.Sub(sent), 0), header.MaxAge)
	}
	var space [maxChain]byte
	chain := strconv.AppendInt(append(space[:0], "h:"...), int64(max(h.Hops(), 1)), 10)
	chain = strconv.AppendInt(append(chain, ";a:"...), int64(min(max(age, 0), header.MaxAge)), 10)
	switch {
	case h.Linked():
		chain = append(chain, ";f:2"...)
	case h.SampledByFanout():
		chain = append(chain, ";f:1"...)
	}
	set(into, chainField, string(chain))
	if seconds := now.Unix(); seconds > 0 && seconds < math.MaxInt64/int64(time.Second) {
		set(into, sentField, strconv.FormatInt(now.UnixNano(), 10))
	}
}

func set(into map[string][]string, f field, value string) {
	if value != "" {
		into[f.lower] = []string{value}
	}
}
