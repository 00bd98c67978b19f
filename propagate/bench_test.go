// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagate"
)

// otelPropagator is what SampledFirst stands in for.
var otelPropagator = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})

const (
	longState = "vendor=t61rcWkgMzE,ot=th:8;rv:1a2b3c4d5e6f78,other@tenant=abc/def"
	longBag   = "user=alice,plan=free,region=eu-west-1;ttl=60,session=8f14e45fceea167a"
)

// requestHeader is what a server gets: a traced request among common headers.
func requestHeader(parent, state, bag string) http.Header {
	header := http.Header{}
	for key, value := range map[string]string{
		"accept": "*/*", "accept-encoding": "gzip", "content-type": "application/json", "user-agent": "Go-http-client/1.1",
		"traceparent": parent, "tracestate": state, "baggage": bag,
	} {
		if value != "" {
			header.Set(key, value)
		}
	}
	return header
}

var contenders = []struct {
	name       string
	propagator propagation.TextMapPropagator
}{
	{"otel", otelPropagator},
	{"waybill", sampledFirst()},
	{"waybill-dropping", dropUnsampled()},
	{"waybill-standard", propagation.NewCompositeTextMapPropagator(propagate.TraceContext{}, propagation.Baggage{})},
}

// benchmarkExtract has all contenders read what one carrier holds.
func benchmarkExtract(b *testing.B, name string, decision decision, carrier propagation.TextMapCarrier) {
	for _, c := range contenders {
		b.Run(name+"/"+c.name, func(b *testing.B) {
			b.ReportAllocs()
			ctx := context.Background()
			var last context.Context
			for b.Loop() {
				last = c.propagator.Extract(ctx, carrier) //nolint:fatcontext // Each has the same parent.
			}
			sc := trace.SpanContextFromContext(last)
			dropped := c.name == "waybill-dropping" && decision == saysUnsampled
			if sc.IsSampled() != (decision == saysSampled) ||
				sc.IsValid() != (decision != saysNothing && !dropped) {
				b.Fatal(sc)
			}
		})
	}
}

func BenchmarkPeek(b *testing.B) {
	header := requestHeader(unsampled, longState, longBag)
	b.Run("string", func(b *testing.B) {
		for b.Loop() {
			sinkDecision = peek(unsampled)
		}
	})
	if sinkDecision != saysUnsampled {
		b.Fatal(sinkDecision)
	}
	b.Run("header", func(b *testing.B) {
		for b.Loop() {
			sinkDecision = peekHeader(header)
		}
	})
	if sinkDecision != saysUnsampled {
		b.Fatal(sinkDecision)
	}
	metadata := map[string][]string{"traceparent": {unsampled}, "content-type": {"application/grpc"}}
	b.Run("metadata", func(b *testing.B) {
		for b.Loop() {
			sinkDecision = peekHeader(metadata)
		}
	})
	if sinkDecision != saysUnsampled {
		b.Fatal(sinkDecision)
	}
	b.Run("http.Header.Get", func(b *testing.B) {
		for b.Loop() {
			sinkDecision = peek(header.Get("traceparent"))
		}
	})
	if sinkDecision != saysUnsampled {
		b.Fatal(sinkDecision)
	}
}

func BenchmarkExtract(b *testing.B) {
	for _, in := range []struct {
		name   string
		header http.Header
	}{
		{"unsampled", requestHeader(unsampled, "", "")},
		{"unsampled-state", requestHeader(unsampled, longState, "")},
		{"unsampled-full", requestHeader(unsampled, longState, longBag)},
		{"sampled", requestHeader(sampled, "", "")},
		{"sampled-state", requestHeader(sampled, longState, "")},
		{"sampled-beside", requestHeader(sampled, longState+",foo@=1", "")},
		{"sampled-full", requestHeader(sampled, longState, longBag)},
		{"absent", requestHeader("", "", "")},
	} {
		decision := peekHeader(in.header)
		benchmarkExtract(b, in.name, decision, propagation.HeaderCarrier(in.header))
		plain := propagation.MapCarrier{}
		for key := range in.header {
			plain[strings.ToLower(key)] = in.header.Get(key)
		}
		benchmarkExtract(b, in.name+"-map", decision, plain)
	}
}

func BenchmarkInject(b *testing.B) {
	for _, in := range []struct {
		name       string
		flags      trace.TraceFlags
		state, bag string
		want       string
	}{
		{"unsampled", 0, "", "", unsampled},
		{"unsampled-full", 0, longState, longBag, unsampled},
		{"sampled", trace.FlagsSampled, "", "", sampled},
		{"sampled-state", trace.FlagsSampled, longState, "", sampled},
		{"sampled-full", trace.FlagsSampled, longState, longBag, sampled},
	} {
		ctx := contextWith(b, spanContext(b, in.flags, in.state), in.bag)
		for kind, carrier := range map[string]propagation.TextMapCarrier{
			"":     propagation.HeaderCarrier(requestHeader("", "", "")),
			"-map": propagation.MapCarrier{"accept": "*/*"},
		} {
			for _, c := range contenders {
				b.Run(in.name+kind+"/"+c.name, func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						c.propagator.Inject(ctx, carrier)
					}
					want := in.want
					if c.name == "waybill-dropping" && want == unsampled {
						want = ""
					}
					if got := carrier.Get("traceparent"); got != want {
						b.Fatal(got)
					}
				})
			}
		}
	}
}
