// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net/http"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagate"
)

// Names of the variants of rows about propagators; raw is OTel's, for Trace
// Context and Baggage together. Those whose names end in -map read and write a
// map of strings, and the others an http.Header.
const (
	rawMap       = "raw-map"
	oursMap      = "ours-map"
	standard     = "standard" // ours for Trace Context with OTel's for Baggage
	standardMap  = "standard-map"
	oursMetadata = "ours-metadata" // in the form of gRPC's and NATS's headers
)

var (
	rawPropagators = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})
	ourStandard    = propagation.NewCompositeTextMapPropagator(propagate.TraceContext{}, propagation.Baggage{})
)

const (
	propagatedIDs   = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"
	propagatedState = "vendor=t61rcWkgMzE,ot=th:8,other@tenant=abc/def"
	propagatedBag   = "user=alice,plan=free,region=eu-west-1;ttl=60,session=8f14e45fceea167a"
)

// propagationRows measure what it costs to read and to write the headers of a
// request: of an unsampled trace (off) or a sampled one (on), with nothing more,
// with a tracestate, or with that and baggage (full).
func propagationRows() []row {
	unsampledAim := []ratio{quotient(ours, raw, 0.35), quotient(oursMap, rawMap, 0.35)}
	stateAim := []ratio{
		quotient(ours, raw, 0.5), quotient(oursMap, rawMap, 0.5),
		quotient(standard, raw, 0.5), quotient(standardMap, rawMap, 0.5),
	}
	return []row{
		flagRow(),
		extractRow("in-off", "the headers of an unsampled request", "-00", "", "", unsampledAim...),
		extractRow("in-off-state", "the same with a tracestate", "-00", propagatedState, "", unsampledAim...),
		extractRow("in-off-full", "the same with baggage too", "-00", propagatedState, propagatedBag, unsampledAim...),
		extractRow("in-on", "the headers of a sampled request", "-01", "", ""),
		extractRow("in-on-state", "the same with a tracestate", "-01", propagatedState, "", stateAim...),
		extractRow("in-on-varied", "the same with a tracestate that is never the same", "-01", "dd=s:1;p:%016x,ot=th:8", ""),
		extractRow("in-on-full", "the same with baggage too", "-01", propagatedState, propagatedBag),
		injectRow("out-off", "writing the headers of an unsampled trace", 0, "", ""),
		injectRow("out-off-full", "the same with a tracestate and baggage", 0, propagatedState, propagatedBag),
		injectRow("out-on", "writing the headers of a sampled trace", trace.FlagsSampled, "", ""),
		injectRow("out-on-full", "the same with a tracestate and baggage", trace.FlagsSampled, propagatedState, propagatedBag),
	}
}

// inTurn is a contender that does work, for an index that counts up, as often as
// it is told to. Whether the last one had its effect is seen by effect.
func inTurn(work func(i int), effect func() error) *contender {
	done := 0
	return &contender{
		run: func(times int) error {
			for i := range times {
				work(done + i)
			}
			done += times
			return effect()
		},
		handled: func() int { return done },
		tear:    func() error { return nil },
	}
}

// everyWay are the variants of a row: each propagator on each kind of carrier.
func everyWay(set func(p propagation.TextMapPropagator, newCarrier func() propagation.TextMapCarrier) (*contender, error)) []variant {
	onHeader := func() propagation.TextMapCarrier {
		return propagation.HeaderCarrier{
			"Accept": {"*/*"}, "Accept-Encoding": {"gzip"}, "Content-Type": {"application/json"}, "User-Agent": {"bench"},
		}
	}
	onMap := func() propagation.TextMapCarrier { return propagation.MapCarrier{"content-type": "application/json"} }
	with := func(name string, p propagation.TextMapPropagator, newCarrier func() propagation.TextMapCarrier) variant {
		return variant{name, func(int) (*contender, error) { return set(p, newCarrier) }}
	}
	first := propagate.NewSampledFirst()
	return []variant{
		with(raw, rawPropagators, onHeader), with(ours, first, onHeader), with(standard, ourStandard, onHeader),
		with(rawMap, rawPropagators, onMap), with(oursMap, first, onMap), with(standardMap, ourStandard, onMap),
	}
}

// manyStates is how many requests there are where no two have one tracestate.
const manyStates = 4096

// extractRow measures the reading of headers. Each request brings its own, where
// the tracestate has a verb to be told apart by.
func extractRow(name, about, flags, state, bag string, ratios ...ratio) row {
	requests := 1
	format := func(int) string { return state }
	if name == "in-on-varied" {
		requests = manyStates
		format = func(i int) string { return fmt.Sprintf(state, i) }
	}
	return row{
		name: name, about: about, size: 1, ratios: ratios,
		variants: everyWay(func(p propagation.TextMapPropagator, newCarrier func() propagation.TextMapCarrier) (*contender, error) {
			carriers := make([]propagation.TextMapCarrier, requests)
			for i := range carriers {
				carriers[i] = newCarrier()
				for key, value := range map[string]string{
					"traceparent": propagatedIDs + flags, "tracestate": format(i), "baggage": bag,
				} {
					if value != "" {
						carriers[i].Set(key, value)
					}
				}
			}
			var ctx context.Context
			return inTurn(
				func(i int) { ctx = p.Extract(context.Background(), carriers[i%requests]) },
				func() error {
					sc := trace.SpanContextFromContext(ctx)
					if sc.IsSampled() != (flags == "-01") || !sc.IsValid() || sc.IsSampled() &&
						(sc.TraceState().Len() > 0) != (state != "") || sc.IsSampled() && (baggage.FromContext(ctx).Len() > 0) != (bag != "") {
						return fmt.Errorf("%w: %v", errEffect, sc)
					}
					return nil
				}), nil
		}),
	}
}

// injectRow measures the writing of headers.
func injectRow(name, about string, flags trace.TraceFlags, state, bag string, ratios ...ratio) row {
	return row{
		name: name, about: about, size: 1, ratios: ratios,
		variants: everyWay(func(p propagation.TextMapPropagator, newCarrier func() propagation.TextMapCarrier) (*contender, error) {
			traceState, err := trace.ParseTraceState(state)
			if err != nil {
				return nil, err
			}
			sent, err := baggage.Parse(bag)
			if err != nil {
				return nil, err
			}
			ctx := trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
				TraceID: trace.TraceID{1, 2, 3}, SpanID: trace.SpanID{4, 5, 6}, TraceFlags: flags, TraceState: traceState,
			}))
			ctx = baggage.ContextWithBaggage(ctx, sent)
			c := newCarrier()
			return inTurn(
				func(int) { p.Inject(ctx, c) },
				func() error {
					if got := c.Get("traceparent"); len(got) != len(propagatedIDs)+len("-00") {
						return fmt.Errorf("%w: %q", errEffect, got)
					}
					return nil
				}), nil
		}),
	}
}

// flagRow measures how to find out whether a request is sampled, and nothing
// more. Raw does it with OTel's propagator, which is all that OTel has for it.
func flagRow() row {
	header := http.Header{"Accept": {"*/*"}, "Content-Type": {"application/json"}, "User-Agent": {"bench"}}
	header.Set("traceparent", propagatedIDs+"-00")
	metadata := map[string][]string{
		":authority": {"bench"}, "content-type": {"application/grpc"}, "traceparent": {propagatedIDs + "-00"}, "user-agent": {"bench"},
	}
	peek := func(of map[string][]string) func(int) (*contender, error) {
		return func(int) (*contender, error) {
			var d propagate.Decision
			return inTurn(func(int) { d = propagate.PeekHeader(of) }, func() error {
				if d != propagate.Unsampled {
					return fmt.Errorf("%w: %v", errEffect, d)
				}
				return nil
			}), nil
		}
	}
	return row{
		name: "flag", about: "whether a request is sampled; raw asks OTel's propagator", size: 1,
		ratios: []ratio{nanosecondsOf(ours, 30), nanosecondsOf(oursMetadata, 30)},
		variants: []variant{
			{raw, func(int) (*contender, error) {
				var sc trace.SpanContext
				return inTurn(func(int) {
					sc = trace.SpanContextFromContext(
						propagation.TraceContext{}.Extract(context.Background(), propagation.HeaderCarrier(header)))
				}, func() error {
					if !sc.IsValid() || sc.IsSampled() {
						return fmt.Errorf("%w: %v", errEffect, sc)
					}
					return nil
				}), nil
			}},
			{ours, peek(header)},
			{oursMetadata, peek(metadata)},
		},
	}
}

// nanosecondsOf is the time that an operation of a variant takes.
func nanosecondsOf(variant string, target float64) ratio {
	return ratio{name: variant + " ns", target: target, of: func(r round) float64 { return r[variant].ns }}
}
