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

// Names of the variants of rows about propagators. raw is OpenTelemetry's propagators
// for Trace Context and Baggage together. Variants whose names end in -map read and
// write a map of strings, and the others an http.Header.
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

// request is what a request has in its headers, and what the context of its sender
// holds.
type request struct {
	sampled    bool
	state, bag string
	// varied is set if no two requests have the same tracestate.
	varied bool
}

// propagationRows measure what it costs to read and to write the headers of a request.
// The trace is unsampled (off) or sampled (on). The headers have nothing else, a
// tracestate (state), or a tracestate and baggage (full). There is no target for
// reading an unsampled request from a map without a tracestate, because both
// propagators make a context there and do little else.
func propagationRows() []row {
	off, on := request{}, request{sampled: true}
	offState, onState := request{state: propagatedState}, request{sampled: true, state: propagatedState}
	offFull := request{state: propagatedState, bag: propagatedBag}
	onFull := request{sampled: true, state: propagatedState, bag: propagatedBag}
	onVaried := request{sampled: true, state: "dd=s:1;p:%016x,ot=th:8", varied: true}
	third := []ratio{quotient(ours, raw, 0.40), quotient(oursMap, rawMap, 0.40)}
	half := []ratio{
		quotient(ours, raw, 0.5), quotient(oursMap, rawMap, 0.5),
		quotient(standard, raw, 0.5), quotient(standardMap, rawMap, 0.5),
	}
	return []row{
		flagRow(nanosecondsOf(ours, 30), nanosecondsOf(oursMetadata, 30)),
		extractRow("in-off", "reading an unsampled request", off, third[0]),
		extractRow("in-off-state", "the same with a tracestate", offState, third...),
		extractRow("in-off-full", "the same with baggage too", offFull, third...),
		extractRow("in-on", "reading a sampled request", on),
		extractRow("in-on-state", "the same with a tracestate", onState, half...),
		extractRow("in-on-varied", "the same with a tracestate that is never the same", onVaried),
		extractRow("in-on-full", "the same with baggage too", onFull),
		injectRow("out-off", "writing an unsampled trace", off),
		injectRow("out-off-full", "the same with a tracestate and baggage", offFull),
		injectRow("out-on", "writing a sampled trace", on),
		injectRow("out-on-full", "the same with a tracestate and baggage", onFull),
	}
}

func (r request) traceparent() string {
	if r.sampled {
		return propagatedIDs + "-01"
	}
	return propagatedIDs + "-00"
}

// fill writes the i-th request to c.
func (r request) fill(i int, c propagation.TextMapCarrier) {
	state := r.state
	if r.varied {
		state = fmt.Sprintf(state, i)
	}
	for key, value := range map[string]string{"traceparent": r.traceparent(), "tracestate": state, "baggage": r.bag} {
		if value != "" {
			c.Set(key, value)
		}
	}
}

// context returns the context of a request's sender.
func (r request) context() (context.Context, error) {
	state, err := trace.ParseTraceState(r.state)
	if err != nil {
		return nil, err
	}
	bag, err := baggage.Parse(r.bag)
	if err != nil {
		return nil, err
	}
	sc, err := propagate.ParseTraceparent(r.traceparent())
	if err != nil {
		return nil, err
	}
	return baggage.ContextWithBaggage(trace.ContextWithSpanContext(context.Background(), sc.WithTraceState(state)), bag), nil
}

// arrived returns an error unless ctx has what it must have of the request.
func (r request) arrived(ctx context.Context) error {
	sc := trace.SpanContextFromContext(ctx)
	ok := sc.IsValid() && sc.IsSampled() == r.sampled
	if r.sampled { // Of an unsampled trace, only the identifiers matter.
		ok = ok && (sc.TraceState().Len() > 0) == (r.state != "") && (baggage.FromContext(ctx).Len() > 0) == (r.bag != "")
	}
	if !ok {
		return fmt.Errorf("%w: %v", errEffect, sc)
	}
	return nil
}

// inTurn returns a contender that calls work. work does a number of operations, and
// first is how many were done before. effect checks whether the last operation had its
// effect.
func inTurn(work func(first, times int), effect func() error) *contender {
	done := 0
	return &contender{
		run: func(times int) error {
			work(done, times)
			done += times
			return effect()
		},
		handled: func() int { return done },
		tear:    func() error { return nil },
	}
}

// everyWay returns the variants of a row: each propagator with each kind of carrier.
func everyWay(
	set func(p propagation.TextMapPropagator, newCarrier func() propagation.TextMapCarrier) (*contender, error),
) []variant {
	onHeader := func() propagation.TextMapCarrier { return propagation.HeaderCarrier(commonHeader()) }
	onMap := func() propagation.TextMapCarrier { return propagation.MapCarrier{"content-type": "application/json"} }
	with := func(name string, p propagation.TextMapPropagator, newCarrier func() propagation.TextMapCarrier) variant {
		return variant{name, func(int) (*contender, error) { return set(p, newCarrier) }}
	}
	first := propagate.SampledFirst{}
	return []variant{
		with(raw, rawPropagators, onHeader), with(ours, first, onHeader), with(standard, ourStandard, onHeader),
		with(rawMap, rawPropagators, onMap), with(oursMap, first, onMap), with(standardMap, ourStandard, onMap),
	}
}

// commonHeader returns the other header fields of a request.
func commonHeader() http.Header {
	return http.Header{
		"Accept": {"*/*"}, "Accept-Encoding": {"gzip"}, "Content-Type": {"application/json"}, "User-Agent": {"bench"},
	}
}

// manyRequests is how many different requests take turns.
const manyRequests = 4096

// extractRow measures the reading of requests.
func extractRow(name, about string, r request, ratios ...ratio) row {
	set := func(p propagation.TextMapPropagator, newCarrier func() propagation.TextMapCarrier) (*contender, error) {
		carriers := make([]propagation.TextMapCarrier, 1)
		if r.varied {
			carriers = make([]propagation.TextMapCarrier, manyRequests)
		}
		for i := range carriers {
			carriers[i] = newCarrier()
			r.fill(i, carriers[i])
		}
		var ctx context.Context
		return inTurn(
			func(first, times int) {
				var last context.Context
				for i := range times {
					last = p.Extract(context.Background(), carriers[(first+i)%len(carriers)])
				}
				ctx = last
			},
			func() error { return r.arrived(ctx) },
		), nil
	}
	return row{name: name, about: about, size: 1, ratios: ratios, variants: everyWay(set)}
}

// injectRow measures the writing of requests.
func injectRow(name, about string, r request, ratios ...ratio) row {
	set := func(p propagation.TextMapPropagator, newCarrier func() propagation.TextMapCarrier) (*contender, error) {
		ctx, err := r.context()
		c := newCarrier()
		return inTurn(
			func(_, times int) {
				for range times {
					p.Inject(ctx, c)
				}
			},
			func() error {
				if got := c.Get("traceparent"); got != r.traceparent() {
					return fmt.Errorf("%w: %q", errEffect, got)
				}
				return nil
			},
		), err
	}
	return row{name: name, about: about, size: 1, ratios: ratios, variants: everyWay(set)}
}

// flagRow measures how long it takes to find out whether a request is sampled. Raw uses
// OpenTelemetry's propagator, because OpenTelemetry has nothing else for it.
func flagRow(ratios ...ratio) row {
	header, metadata := commonHeader(), map[string][]string{":authority": {"bench"}, "content-type": {"application/grpc"}}
	parent := request{}.traceparent()
	header["Traceparent"], metadata["traceparent"] = []string{parent}, []string{parent}
	peek := func(of map[string][]string) func(int) (*contender, error) {
		return func(int) (*contender, error) {
			var sampled, ok bool
			return inTurn(
				func(_, times int) {
					for range times {
						sampled, ok = propagate.PeekHeader(of)
					}
				},
				func() error {
					if sampled || !ok {
						return fmt.Errorf("%w: sampled %v, ok %v", errEffect, sampled, ok)
					}
					return nil
				},
			), nil
		}
	}
	ask := func(int) (*contender, error) {
		var ctx context.Context
		return inTurn(
			func(_, times int) {
				for range times {
					ctx = propagation.TraceContext{}.Extract(context.Background(), propagation.HeaderCarrier(header))
				}
			},
			func() error { return request{}.arrived(ctx) },
		), nil
	}
	return row{
		name: "flag", about: "whether a request is sampled; raw asks OTel's propagator", size: 1, ratios: ratios,
		variants: []variant{{raw, ask}, {ours, peek(header)}, {oursMetadata, peek(metadata)}},
	}
}

// nanosecondsOf is the time of an operation of a variant, in nanoseconds.
func nanosecondsOf(variant string, target float64) ratio {
	return ratio{name: variant + " ns", target: target, of: func(r round) float64 { return r[variant].ns }}
}
