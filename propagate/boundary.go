// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate

import (
	"context"
	"sync/atomic"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/caller"
	"github.com/waybill-go/waybill/internal/tracestate"
)

// Policy is what a [Boundary] does with the trace of a caller. The zero value is
// [Ignore], and so is every value without a name.
type Policy uint8

// What a [Boundary] may do with the trace of a caller.
const (
	// Ignore begins traces as if the caller had sent none.
	Ignore Policy = iota
	// Link begins a new trace for each request, and links its first span to the
	// caller's.
	Link
	// Continue continues the caller's trace. It is for callers that are trusted.
	Continue
	// ContinueIDs continues the caller's trace by its identifiers and flags, and believes
	// nothing else of it. It is for callers that may start traces, and that are not
	// trusted, such as the pages of one's own in strangers' browsers.
	ContinueIDs
)

// Boundary is a [propagation.TextMapPropagator] for a listener whose callers may not be
// trusted. Give it to the instrumentation of that listener alone. The other listeners keep
// their propagators. The zero value ignores callers, and reads and writes no headers.
//
// With [Continue] it does what its Propagator does. With [Link] and [Ignore] it takes
// nothing of what a caller says about its trace: no trace ID, no sampled flag and no
// tracestate. So no caller can forge the weights and budgets that trusted peers of package
// [github.com/waybill-go/waybill/sampling] state there. The sampler alone decides whether
// the new trace is sampled, as for every root. Of what the Propagator extracts, only the
// baggage is kept, which [Baggage] limits by key and size.
//
// With [ContinueIDs] it takes the trace ID, the span ID and the flags, and no tracestate,
// so that weights and budgets cannot be forged either. But a caller can choose the trace
// that its spans go to, and whether it is sampled, unless the sampler is one that decides
// anew: see sdktrace.WithRemoteParentSampled. So limit what such a caller may send.
//
// With [Link] the caller's identifiers and flags, but not its tracestate, are kept in the
// context. Spans that are started there by a provider from [Boundary.TracerProvider] are
// roots with a link to the caller's span. With any other provider they are roots, and the
// application may add the link ([CallerLink]).
//
// A span that was in the context before the extraction, such as one for the life of the
// server, is not the caller's. With Ignore it remains the parent, as without a caller.
// With Link the new root does not continue its trace either, and has a link to it too.
//
// With another policy than Continue, Propagator should be a composite of propagators
// that read the trace and the baggage each for itself. [SampledFirst] leaves the
// baggage of unsampled traces unread, so the flag of a caller that is not trusted
// would decide on that. With DropUnsampled it also leaves nothing to link to.
//
// Any number of goroutines may use one Boundary, and copies of it, at the same time.
type Boundary struct {
	// Policy is what to do with the trace of a caller.
	Policy Policy
	// Propagator reads and writes the headers. Nil means one that does neither.
	Propagator propagation.TextMapPropagator
	// Counters counts what is linked and ignored. Nil means [DefaultCounters].
	Counters *Counters
}

var _ propagation.TextMapPropagator = Boundary{}

// noHeaders reads and writes nothing.
var noHeaders = propagation.NewCompositeTextMapPropagator()

func (b Boundary) inner() propagation.TextMapPropagator {
	if b.Propagator == nil {
		return noHeaders
	}
	return b.Propagator
}

// Extract returns ctx with what the policy lets in of what carrier holds.
// If it links or ignores the caller's trace, that is counted. It forgets the caller of
// an earlier extraction on the same context.
func (b Boundary) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	if b.Policy == Continue {
		return caller.With(b.inner().Extract(ctx, carrier), nil)
	}
	// Without a span in it, what span there is afterwards is the caller's.
	blank := ctx
	if trace.SpanContextFromContext(ctx).IsValid() {
		blank = trace.ContextWithSpanContext(ctx, trace.SpanContext{})
	}
	extracted := b.inner().Extract(blank, carrier)
	if bag := baggage.FromContext(extracted); bag.Len() > 0 || baggage.FromContext(ctx).Len() > 0 {
		ctx = baggage.ContextWithBaggage(ctx, bag)
	}

	remote := trace.SpanContextFromContext(extracted)
	switch {
	case !remote.IsValid():
		return caller.With(ctx, nil)
	case b.Policy == ContinueIDs:
		remote = remote.WithTraceState(trace.TraceState{})
		ctx = caller.OnlyIDs(tracestate.ContextWith(ctx, nil))
		return caller.With(trace.ContextWithRemoteSpanContext(ctx, remote), nil)
	case b.Policy == Link:
		atomic.AddUint64(&b.Counters.now().BoundaryLinked, 1)
		return caller.With(ctx, caller.New(ctx, remote))
	default:
		atomic.AddUint64(&b.Counters.now().BoundaryIgnored, 1)
		return caller.With(ctx, nil)
	}
}

// Inject writes what ctx holds to carrier, as the Propagator does. With Link and Ignore
// that is never the caller's trace.
func (b Boundary) Inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	b.inner().Inject(ctx, carrier)
}

// Fields returns the fields of the Propagator.
func (b Boundary) Fields() []string { return b.inner().Fields() }
