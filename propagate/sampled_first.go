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

// Option configures [NewSampledFirst].
type Option interface {
	apply(config) config
}

type config struct {
	dropUnsampled bool
	baggage       Baggage
}

type option func(config) config

func (o option) apply(c config) config { return o(c) }

// WithoutUnsampled makes a propagator drop the context of an unsampled trace
// whole, where the default carries its identifiers: Extract returns its context
// as it was, and Inject takes all three headers away.
//
// It is for fleets whose receivers never start traces of their own. Any other
// receiver cannot tell a dropped context from none, and lets its sampler decide
// again: behind a ratio sampler each dropped request may become a new sampled
// root, so that there are more traces and not fewer. And where anything between
// the two ends adds or restores headers, such as a reverse proxy that forwards
// those of its client, the receiver takes somebody else's context for this one.
func WithoutUnsampled() Option {
	return option(func(c config) config {
		c.dropUnsampled = true
		return c
	})
}

// SampledFirst is a [propagation.TextMapPropagator] for W3C Trace Context and
// Baggage that reads the sampled flag before anything else, and neither reads
// nor writes tracestate and baggage where the trace is not sampled. It stands
// in for a composite of two propagators, [TraceContext] and [Baggage] or OTel's;
// compose it with none of these, since they would put back what it leaves out.
//
// The zero value is ready, with the defaults of [NewSampledFirst]. Any number
// of goroutines may use one SampledFirst at the same time; it must not be
// copied once used.
type SampledFirst struct {
	config   config
	counters Counters
}

var _ propagation.TextMapPropagator = (*SampledFirst)(nil)

// NewSampledFirst makes a propagator. By default it carries an unsampled trace
// by its identifiers alone, so that whatever is downstream stays silent too.
func NewSampledFirst(opts ...Option) *SampledFirst {
	p := &SampledFirst{}
	for _, o := range opts {
		p.config = o.apply(p.config)
	}
	return p
}

// Extract returns ctx with what carrier holds.
//
//   - A sampled trace: what [TraceContext.Extract] takes, and the baggage.
//     Repeated baggage headers count as one, in their order.
//   - An unsampled trace: its span context without tracestate, or nothing with
//     [WithoutUnsampled]. No baggage.
//   - No traceparent, or a malformed or repeated one: the baggage alone.
//
// It never fails. [SampledFirst.Counts] tells what was left out.
func (p *SampledFirst) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	parent, decision := readTraceparent(carrier, &p.counters)
	switch decision {
	case Unsampled:
		if p.config.dropUnsampled {
			atomic.AddUint64(&p.counters.now().UnsampledDropped, 1)
			return ctx
		}
		atomic.AddUint64(&p.counters.now().UnsampledCarried, 1)
		return trace.ContextWithSpanContext(tracestate.ContextWith(ctx, nil), traceparent.Decode(parent, trace.TraceState{}))
	case Sampled:
		ctx = extractTrace(ctx, parent, carrier, &p.counters)
	}
	return p.extractBaggage(ctx, carrier)
}

func (p *SampledFirst) extractBaggage(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	return p.config.baggage.extract(ctx, carrier, p.baggageCounters())
}

func (p *SampledFirst) baggageCounters() *Counters {
	return cmp.Or(p.config.baggage.Counters, &p.counters)
}

// Inject writes what ctx holds to carrier.
//
//   - A sampled trace: what [TraceContext.Inject] writes, and baggage.
//   - An unsampled trace: traceparent alone, or nothing with
//     [WithoutUnsampled].
//   - No trace: baggage alone.
//
// Whatever it does not write it takes away, so that no header that carrier held
// before goes on: out of the carriers of package propagation and other maps, in
// either spelling of the key; out of a carrier with a method Delete(key string)
// or Del(key string), by that; out of any other by setting it to the empty
// string, if Get finds anything. Of the flags, sampled and random go out.
//
// As with OTel's own propagators, a carrier that is a nil map must not be
// written to.
func (p *SampledFirst) Inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	sc := trace.SpanContextFromContext(ctx)
	var bag string
	switch {
	case !sc.IsValid() || sc.IsSampled():
		injectTrace(ctx, sc, carrier, &p.counters)
		bag = p.config.baggage.header(ctx, p.baggageCounters())
	case p.config.dropUnsampled:
		atomic.AddUint64(&p.counters.now().UnsampledDropped, 1)
		injectTrace(ctx, trace.SpanContext{}, carrier, &p.counters)
	default:
		atomic.AddUint64(&p.counters.now().UnsampledCarried, 1)
		injectParent(sc, carrier)
		tracestateField.put(carrier, "")
	}
	baggageField.put(carrier, bag)
}

// Fields returns the keys that Inject writes or takes away, in a slice that is
// the caller's own.
func (*SampledFirst) Fields() []string {
	return []string{traceparentField.lower, tracestateField.lower, baggageField.lower}
}

// Counts returns how often p met what changes or loses something. The fields
// are read one after the other, so they may belong to slightly different times.
func (p *SampledFirst) Counts() Counts { return p.counters.Counts() }
