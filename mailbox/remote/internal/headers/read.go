// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package headers

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/caller"
	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/traceparent"
	"github.com/waybill-go/waybill/internal/tracestate"
	"github.com/waybill-go/waybill/internal/w3cbaggage"
	"github.com/waybill-go/waybill/propagate"
)

const defaultMaxBytes = 16 << 10

// Options say how to read headers.
type Options struct {
	// Boundary decides what to believe: of the trace by its policy, and of the baggage by
	// its list of allowed keys. Nil believes everything, within the bounds of the packages
	// that read it: weights, depths, budgets, hops and ages.
	Boundary propagation.TextMapPropagator
	// Now is when the message arrived; the zero time means the present.
	Now time.Time
	// MaxBytes bounds all values that this package reads of one message, before anything is
	// parsed. Zero means 16 KiB.
	MaxBytes int
}

// Found is what was found in the headers of a message.
type Found struct {
	// Bare is set if there was neither a trace nor baggage.
	Bare bool
	// Malformed is set if something was there that could not be read, and was taken for
	// absent.
	Malformed bool
}

// Read returns the header of a message that has arrived with the headers in, nil if nothing
// travels with it. It does not change in, and keeps its strings. It does not allocate if
// there is neither a trace nor baggage.
//
// The time of sending of a sampled message is when it arrived, so that its wait in a mailbox
// here goes by one clock. The time before that is apart: how long it took between the two
// machines, by two clocks. That is never negative, and it is part of the age of its chain.
// With a boundary that does not believe all that a caller says of its trace, the message
// begins a chain of its own.
func Read(in map[string][]string, o Options) (*header.Header, Found) {
	if len(in) == 0 || !parentField.present(in) && !baggageField.present(in) {
		return nil, Found{Bare: true}
	}
	size := 0
	for i := range fields {
		size += fields[i].size(in)
	}
	limit := o.MaxBytes
	if limit <= 0 {
		limit = defaultMaxBytes
	}
	if size > limit {
		return nil, Found{Malformed: true}
	}
	r := reading{in: in}
	r.readParent()
	chained := true
	if o.Boundary != nil {
		chained = r.admit(o.Boundary)
	} else {
		r.believe()
	}
	// A boundary may have begun another trace.
	if sc := r.to.SpanContext; sc.IsSampled() && r.parent.TraceID() == sc.TraceID() && r.parent.SpanID() == sc.SpanID() {
		r.chain(o.Now, chained)
	}
	return header.Of(r.to), Found{Malformed: r.malformed}
}

// reading is a message that is being read.
type reading struct {
	in        map[string][]string
	parent    trace.SpanContext // As the sender says, without its tracestate.
	to        header.Content
	malformed bool
}

func (r *reading) readParent() {
	parent, ok := parentField.one(r.in)
	if parent != "" {
		if _, valid := traceparent.Check(parent); valid {
			r.parent = traceparent.Decode(parent, trace.TraceState{})
			return
		}
		ok = false
	}
	r.malformed = r.malformed || !ok
}

// believe takes the trace and the baggage as the sender says.
func (r *reading) believe() {
	if r.parent.IsValid() {
		values, agreed := stateField.values(r.in)
		list, ok := tracestate.Read(values)
		if !ok || !agreed {
			list, ok = tracestate.List{}, false
		}
		r.malformed = r.malformed || !ok || list.Dropped > 0
		r.to.SpanContext = r.parent.WithTraceState(list.State)
		r.to.Beside = list.Beside(r.parent.TraceID())
	}
	values, agreed := baggageField.values(r.in)
	if !agreed {
		r.malformed = true
		return
	}
	list := w3cbaggage.Read(values, w3cbaggage.Limits{})
	r.malformed = r.malformed || list.TooLong || list.Dropped() > 0
	if len(list.Members) > 0 {
		r.to.Baggage, _ = baggage.New(list.Members...) // There is no error within these limits.
	}
}

// admit takes what a boundary lets in, which counts itself what it refuses. It reports
// whether the sender is believed about anything but identifiers, flags and baggage.
func (r *reading) admit(boundary propagation.TextMapPropagator) (believed bool) {
	ctx := boundary.Extract(context.Background(), propagate.MetadataCarrier(r.in))
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		r.to.SpanContext = sc.WithRemote(true)
		r.to.Beside = tracestate.FromContext(ctx).Of(sc.TraceID())
	}
	r.to.Baggage = baggage.FromContext(ctx)
	r.to.Caller = caller.Of(ctx)
	return !caller.IsOnlyIDs(ctx)
}
