// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate

import (
	"cmp"
	"context"
	"sync/atomic"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/traceparent"
	"github.com/waybill-go/waybill/internal/tracestate"
)

// SampledFirst is a [propagation.TextMapPropagator] for W3C Trace Context and
// Baggage that reads the sampled flag before anything else. Where the trace is not
// sampled it neither reads nor writes tracestate and baggage. It stands in for a
// composite of two propagators, [TraceContext] and [Baggage] or OTel's. Compose it
// with none of these: they would put back what it leaves out.
//
// The zero value is ready. It carries an unsampled trace by its identifiers alone, so
// that whatever is downstream stays silent too. Any number of goroutines may use one
// SampledFirst, and copies of it, at the same time.
type SampledFirst struct {
	// DropUnsampled drops the context of an unsampled trace whole: Extract returns its
	// context as it was, and Inject takes all three headers away.
	//
	// It is for fleets whose receivers never start traces of their own. Any other
	// receiver takes a dropped context for none, and lets its sampler decide again:
	// behind a ratio sampler each dropped request may become a new sampled root, so
	// that there are more traces and not fewer. And if something between the two ends
	// adds headers, such as a reverse proxy that forwards those of its client, the
	// receiver takes somebody else's context for this one.
	DropUnsampled bool
	// Baggage says which baggage may pass, in both directions. The zero value lets all
	// pass. If it has no Counters of its own, those of the SampledFirst count for it.
	Baggage Baggage
	// Counters counts what is left out. Nil means [DefaultCounters].
	Counters *Counters
}

var _ propagation.TextMapPropagator = SampledFirst{}

// Extract returns ctx with what carrier holds.
//
//   - A sampled trace: what [TraceContext.Extract] takes, and the baggage.
//     Repeated baggage headers count as one, in their order.
//   - An unsampled trace: its span context without tracestate, or nothing with
//     DropUnsampled. No baggage.
//   - No traceparent, or a malformed or repeated one: the baggage alone.
//
// It never fails. The counters tell what was left out.
func (p SampledFirst) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	parent, sampled, ok := readTraceparent(carrier, p.Counters)
	switch {
	case sampled:
		ctx = extractTrace(ctx, parent, carrier, p.Counters)
	case ok && p.DropUnsampled:
		atomic.AddUint64(&p.Counters.now().UnsampledDropped, 1)
		return ctx
	case ok:
		atomic.AddUint64(&p.Counters.now().UnsampledCarried, 1)
		return trace.ContextWithSpanContext(tracestate.ContextWith(ctx, nil), traceparent.Decode(parent, trace.TraceState{}))
	}
	return p.Baggage.extract(ctx, carrier, p.baggageCounters())
}

func (p SampledFirst) baggageCounters() *Counters {
	return cmp.Or(p.Baggage.Counters, p.Counters)
}

// Inject writes what ctx holds to carrier.
//
//   - A sampled trace: what [TraceContext.Inject] writes, and baggage.
//   - An unsampled trace: traceparent alone, or nothing with DropUnsampled.
//   - No trace: baggage alone.
//
// Inject takes away every header that it does not write, so that nothing that carrier
// held before goes on. It deletes both spellings of the key from the carriers of package
// propagation and other maps. Of a carrier with a method Delete(key string) or
// Del(key string) it calls that. In any other carrier it sets the key to the empty
// string, if Get finds anything. Of the flags it writes sampled and random.
//
// As with OTel's own propagators, the carrier must not be a nil map.
func (p SampledFirst) Inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	sc := trace.SpanContextFromContext(ctx)
	var bag string
	switch {
	case !sc.IsValid() || sc.IsSampled():
		injectTrace(ctx, sc, carrier, p.Counters)
		bag = p.Baggage.header(ctx, p.baggageCounters())
	case p.DropUnsampled:
		atomic.AddUint64(&p.Counters.now().UnsampledDropped, 1)
		injectTrace(ctx, trace.SpanContext{}, carrier, p.Counters)
	default:
		atomic.AddUint64(&p.Counters.now().UnsampledCarried, 1)
		injectParent(sc, carrier)
		tracestateField.put(carrier, "")
	}
	baggageField.put(carrier, bag)
}

// Fields returns the keys that Inject writes or takes away, in a new slice.
func (SampledFirst) Fields() []string {
	return []string{traceparentField.lower, tracestateField.lower, baggageField.lower}
}
