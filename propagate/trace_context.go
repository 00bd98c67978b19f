// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate

import (
	"context"
	"sync/atomic"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/traceparent"
	"github.com/waybill-go/waybill/internal/tracestate"
)

// TraceContext is a [propagation.TextMapPropagator] for W3C Trace Context level 2, strict
// and in full. It can take the place of OTel's [propagation.TraceContext]. It always
// carries the trace, sampled or not. For baggage compose it with a propagator of baggage.
//
// The zero value is ready. Any number of goroutines may use one TraceContext, and copies
// of it, at the same time.
type TraceContext struct {
	// Counters counts what is refused or left out. Nil means [DefaultCounters].
	Counters *Counters
}

var _ propagation.TextMapPropagator = TraceContext{}

// Extract returns ctx with the trace that carrier holds: its span context, marked as
// remote, with the tracestate unless that is invalid. If the traceparent is absent,
// malformed or repeated, it returns ctx as it was. It never fails. The counters tell what
// was refused.
//
// A key that has one value in lower case and another as net/http spells it comes from two
// writers. A traceparent of this kind counts as repeated, and a tracestate as invalid.
//
// Several tracestate headers count as one, in their order. Empty headers, empty members
// and white space around members mean nothing. Of several members with one key, the first
// stays. Members whose keys [trace.TraceState] cannot hold travel beside it, in ctx and in
// the envelopes that are made from it.
func (p TraceContext) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	parent, _, ok := readTraceparent(carrier, p.Counters)
	if !ok {
		return ctx
	}
	return extractTrace(ctx, parent, carrier, p.Counters)
}

// Inject writes the trace that ctx holds to carrier: traceparent, and tracestate if there
// is any. It takes away what it does not write, as [SampledFirst.Inject] does: if ctx
// holds no trace, carrier holds none afterwards either. Of the flags it writes sampled and
// random.
//
// Members of the tracestate that are new or have changed since the extraction come first.
// The others follow in the order in which they arrived. If there are more than 32, the
// last ones are left out and counted.
//
// As with OTel's own propagators, the carrier must not be a nil map.
func (p TraceContext) Inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	injectTrace(ctx, trace.SpanContextFromContext(ctx), carrier, p.Counters)
}

// Fields returns the keys that Inject writes or takes away, in a new slice.
func (TraceContext) Fields() []string {
	return []string{traceparentField.lower, tracestateField.lower}
}

// readTraceparent returns the traceparent of carrier, and whether it is sampled. ok is
// false if it is absent, malformed or repeated. The last two are counted.
func readTraceparent(
	carrier propagation.TextMapCarrier, counters *Counters,
) (parent string, sampled, ok bool) {
	var one [1]string
	parents, agreed := traceparentField.values(carrier, &one)
	if len(parents) == 1 && agreed {
		if sampled, ok = Peek(parents[0]); ok {
			return parents[0], sampled, true
		}
	}
	// A single empty value is what some carriers have for an absent one, and what
	// Inject leaves in those that cannot delete.
	if !agreed || len(parents) > 1 || len(parents) == 1 && parents[0] != "" {
		atomic.AddUint64(&counters.now().Malformed, 1)
	}
	return "", false, false
}

// extractTrace returns ctx with the trace of a valid traceparent, and with the
// tracestate of carrier.
func extractTrace(
	ctx context.Context, parent string, carrier propagation.TextMapCarrier, counters *Counters,
) context.Context {
	var one [1]string
	values, agreed := tracestateField.values(carrier, &one)
	list, ok := tracestate.Read(known(values, agreed))
	if !ok || !agreed {
		atomic.AddUint64(&counters.now().TraceStateRefused, 1)
	}
	if list.Dropped > 0 {
		atomic.AddUint64(&counters.now().TraceStateCut, uint64(list.Dropped))
	}
	sc := traceparent.Decode(parent, list.State)
	// What the last request left beside its tracestate does not belong to this one, even
	// if both are of the same trace.
	ctx = tracestate.ContextWith(ctx, list.Beside(sc.TraceID()))
	return trace.ContextWithSpanContext(ctx, sc)
}

// injectTrace writes sc, which may be none, and the tracestate that belongs to
// it in ctx.
func injectTrace(
	ctx context.Context, sc trace.SpanContext, carrier propagation.TextMapCarrier, counters *Counters,
) {
	injectParent(sc, carrier)
	if !sc.IsValid() {
		tracestateField.put(carrier, "")
		return
	}
	beside := tracestate.FromContext(ctx).Of(sc.TraceID())
	var cut int
	if c, ok := carrier.(bytesCarrier); ok {
		var state []byte
		state, cut = tracestate.Append(nil, sc.TraceState(), beside)
		tracestateField.putBytes(carrier, c, state)
	} else {
		var state string
		state, cut = tracestate.Encode(sc.TraceState(), beside)
		tracestateField.put(carrier, state)
	}
	if cut > 0 {
		atomic.AddUint64(&counters.now().TraceStateCut, uint64(cut))
	}
}

// injectParent writes the traceparent of sc, or takes it away if there is none.
func injectParent(sc trace.SpanContext, carrier propagation.TextMapCarrier) {
	if !sc.IsValid() {
		traceparentField.put(carrier, "")
	} else if c, ok := carrier.(bytesCarrier); ok {
		traceparentField.putBytes(carrier, c, appendTraceparent(make([]byte, 0, traceparent.Size), sc))
	} else {
		traceparentField.put(carrier, encode(sc))
	}
}
