// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate

import (
	"context"
	"fmt"
	"sync/atomic"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/caller"
)

// Policy is what a [Boundary] does with the trace of a caller. The zero value is
// [Ignore], and so is every value without a name.
type Policy uint8

const (
	// Ignore begins traces as if the caller had sent none.
	Ignore Policy = iota
	// Link begins a new trace for each request, and links its first span to the
	// caller's.
	Link
	// Continue goes on with the caller's trace. It is for callers that are
	// trusted.
	Continue
)

// String returns the name in lower case.
func (p Policy) String() string {
	switch p {
	case Ignore:
		return "ignore"
	case Link:
		return "link"
	case Continue:
		return "continue"
	default:
		return fmt.Sprintf("Policy(%d)", uint8(p))
	}
}

// Boundary is a [propagation.TextMapPropagator] for a listener that callers reach
// who may not be trusted. Give it to the instrumentation of that listener
// alone, and let the others keep theirs.
//
// With [Continue] it is the propagator inside, as it is. With the other
// policies it takes nothing of what a caller says about its trace: no trace ID,
// no sampled flag, no tracestate, and so no member of it with which package
// [github.com/waybill-go/waybill/sampling] would let a caller forge the weights
// and budgets that only trusted peers may state. Whether the new trace is
// sampled is for the sampler alone to say, as for every root. Of what the
// propagator inside extracts, only baggage goes on, which [Baggage] limits by
// key and size.
//
// With [Link] the caller's identifiers and flags, but not its tracestate, are
// put aside in the context. Spans that are started there by a provider from
// [Boundary.TracerProvider] are roots linked to the caller's span; with any other
// provider they are roots, and the link is for the application to add
// ([CallerLink]).
//
// A span that is in the context before the extraction, such as one that covers
// the life of the server, is none of the caller's. It remains the parent with
// Ignore, as without a caller. With Link the new root does not go on with its
// trace either, and has a link to it too.
//
// Any number of goroutines may use one Boundary at the same time.
type Boundary struct {
	policy   Policy
	inner    propagation.TextMapPropagator
	counters *Counters
}

var _ propagation.TextMapPropagator = (*Boundary)(nil)

// BoundaryOption configures [NewBoundary].
type BoundaryOption interface {
	applyBoundary(*Boundary)
}

type boundaryOption func(*Boundary)

func (o boundaryOption) applyBoundary(b *Boundary) { o(b) }

// WithBoundaryCounters makes a boundary count with c, of which each listener may
// have its own. The default is [DefaultCounters].
func WithBoundaryCounters(c *Counters) BoundaryOption {
	return boundaryOption(func(b *Boundary) { b.counters = c.or() })
}

// NewBoundary makes a boundary that reads and writes headers by means of inner. A
// nil inner reads and writes nothing.
//
// With another policy than Continue, inner should be a composite of propagators
// that read the trace and the baggage each for itself. [SampledFirst] leaves
// the baggage of unsampled traces unread, and so a caller that it ignores would
// still decide on that, by a flag; without unsampled contexts it also leaves
// nothing to link to.
func NewBoundary(policy Policy, inner propagation.TextMapPropagator, opts ...BoundaryOption) *Boundary {
	if inner == nil {
		inner = propagation.NewCompositeTextMapPropagator()
	}
	b := &Boundary{policy: policy, inner: inner, counters: DefaultCounters()}
	for _, o := range opts {
		o.applyBoundary(b)
	}
	return b
}

// Extract returns ctx with what carrier holds, as far as the policy lets it in.
// That a valid context of a caller was linked or ignored is counted
// ([Counts].BoundaryLinked, [Counts].BoundaryIgnored). Each extraction makes up its
// own mind: it forgets the caller of an earlier one on the same context.
func (b *Boundary) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	if b.policy == Continue {
		return caller.With(b.inner.Extract(ctx, carrier), nil)
	}
	// Without a span in it, what span there is afterwards is the caller's.
	blank := ctx
	if trace.SpanContextFromContext(ctx).IsValid() {
		blank = trace.ContextWithSpanContext(ctx, trace.SpanContext{})
	}
	extracted := b.inner.Extract(blank, carrier)
	if bag := baggage.FromContext(extracted); bag.Len() > 0 || baggage.FromContext(ctx).Len() > 0 {
		ctx = baggage.ContextWithBaggage(ctx, bag)
	}

	remote := trace.SpanContextFromContext(extracted)
	switch {
	case !remote.IsValid():
		return caller.With(ctx, nil)
	case b.policy == Link:
		atomic.AddUint64(&b.counters.now().BoundaryLinked, 1)
		return caller.With(ctx, caller.New(ctx, remote))
	default:
		atomic.AddUint64(&b.counters.now().BoundaryIgnored, 1)
		return caller.With(ctx, nil)
	}
}

// Inject writes what ctx holds to carrier, by the propagator inside. With Link
// and Ignore that is never the caller's trace.
func (b *Boundary) Inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	b.inner.Inject(ctx, carrier)
}

// Fields returns those of the propagator inside.
func (b *Boundary) Fields() []string { return b.inner.Fields() }
