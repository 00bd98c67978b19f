// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate_test

import (
	"fmt"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/estimate"
)

// A small broadcast was quick and traced in full, a large one was slow and left
// two spans.
func Example() {
	type span struct {
		broadcast string
		seconds   float64
		attrs     []attribute.KeyValue
	}
	recipient := func(size, chosen int) []attribute.KeyValue {
		plan := sampling.Config{Curve: sampling.Always(), MaxSpans: chosen}.Plan(size, nil)
		return sampling.Fanout{}.Recipient(plan).Attributes(nil)
	}
	spans := []span{
		{"small", 0.01, recipient(3, 3)}, {"small", 0.02, recipient(3, 3)}, {"small", 0.03, recipient(3, 3)},
		{"large", 0.40, recipient(1000, 2)}, {"large", 0.60, recipient(1000, 2)},
		{"large", 9.99, []attribute.KeyValue{sampling.WeightKey.Float64(0)}}, // An exemplar: it was slow.
	}
	var s estimate.Sample
	for _, span := range spans {
		if weight, ok := estimate.Weight(span.attrs); ok {
			s.Add(span.seconds, weight, estimate.StageOf(span.broadcast, span.attrs))
		}
	}
	fmt.Printf("%+v\n", s.Tally())
	fmt.Println("deliveries:", s.Count())
	fmt.Println("seconds in all:", s.Total())
	fmt.Println("seconds:", s.Mean())
	fmt.Println("median, of all:", s.Quantile(0.5).Value)
	// Output:
	// {Counted:5 Exemplars:1 Shed:0 Invalid:0 Unweighted:0}
	// deliveries: 1003 ± 0
	// seconds in all: 500.06 ± 1e+02
	// seconds: 0.498564 ± 0.1
	// median, of all: 0.4
}

// Whole spans: here of a broadcast that a collector's file exporter wrote.
func ExampleSpans() {
	const file = `{"resourceSpans":[{"scopeSpans":[{"spans":[
		{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b170","name":"broadcast sessions",
		 "startTimeUnixNano":"1000000000","endTimeUnixNano":"1000001000",
		 "attributes":[{"key":"waybill.fanout.size","value":{"intValue":"5000"}},
			{"key":"waybill.fanout.sampled","value":{"intValue":"2"}}]},
		{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b171","name":"session MessageCreate",
		 "parentSpanId":"eee19b7ec3c1b170","startTimeUnixNano":"1000000000","endTimeUnixNano":"1400000000",
		 "attributes":[{"key":"waybill.fanout.weight","value":{"doubleValue":2500}},
			{"key":"waybill.fanout.probability","value":{"doubleValue":0.0004}}]},
		{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b172","name":"session MessageCreate",
		 "parentSpanId":"eee19b7ec3c1b170","startTimeUnixNano":"1000000000","endTimeUnixNano":"1600000000",
		 "attributes":[{"key":"waybill.fanout.weight","value":{"doubleValue":2500}},
			{"key":"waybill.fanout.probability","value":{"doubleValue":0.0004}}]}]}]}]}`
	var spans estimate.Spans
	if err := spans.AddOTLP(strings.NewReader(file)); err != nil {
		fmt.Println(err)
	}
	sessions := spans.Named("session MessageCreate").Handled
	fmt.Println("deliveries:", sessions.Count())
	fmt.Println("seconds:", sessions.Mean())
	// Output:
	// deliveries: 5000 ± 0
	// seconds: 0.5 ± 0.1
}

// Collectors each have a sample of their own.
func ExampleSample_Merge() {
	var here, there estimate.Sample
	here.Add(0.2, 10)
	there.Add(0.4, 30)
	here.Merge(&there)
	fmt.Println(here.Count().Value, here.Mean().Value)
	// Output: 40 0.35
}

// A guild sends through relays. Both fan-outs are on the way to a session.
func ExampleStage() {
	guild := estimate.Stage{Fanout: "guild's broadcast", Size: 4, Chosen: 2}
	var s estimate.Sample
	for _, relay := range []struct {
		name    string
		seconds []float64
	}{{"relay 1", []float64{0.1, 0.2}}, {"relay 2", []float64{0.4, 0.3}}} {
		sessions := estimate.Stage{Fanout: relay.name, Size: 50, Chosen: 2}
		for _, v := range relay.seconds {
			s.Add(v, 4.0/2*50/2, guild, sessions)
		}
	}
	fmt.Println(s.Count())
	fmt.Println(s.Total())
	// Output:
	// 200 ± 0
	// 50 ± 15
}

// A broadcast whose own span says that a cap took effect is left out.
func ExampleSample_Shed() {
	var s estimate.Sample
	s.Add(0.2, 10, estimate.Stage{Fanout: "a", Size: 30, Chosen: 3})
	s.Add(0.4, 50, estimate.Stage{Fanout: "b", Size: 5000, Chosen: 100})
	s.Shed("b")
	fmt.Println(s.Total().Value, s.Tally().Shed)
	// Output: 2 1
}

// How many were slow. None of the four was, but others may have been.
func ExampleSample_Above() {
	var s estimate.Sample
	for _, v := range []float64{0.1, 0.2, 0.3, 0.2} {
		s.Add(v, 25, estimate.Stage{Fanout: "b", Size: 100, Chosen: 4})
	}
	e := s.Above(0.5)
	fmt.Printf("%v, at most %.0f\n", e, e.High)
	// Output: 0 ± 15, at most 48
}

func ExampleWeight() {
	f := sampling.Fanout{}.Recipient(sampling.Config{}.Plan(10_000, nil))
	fmt.Println(estimate.Weight(f.Attributes(nil)))
	fmt.Println(estimate.Weight(nil))
	fmt.Println(estimate.Weight([]attribute.KeyValue{attribute.Bool("waybill.fanout.shed", true)}))
	// Output:
	// 1000 true
	// 1 true
	// 0 false
}

func ExampleStageOf() {
	f := sampling.Fanout{}.Recipient(sampling.Config{}.Plan(10_000, nil))
	fmt.Printf("%+v\n", estimate.StageOf("ID of the broadcast's span", f.Attributes(nil)))
	// Output: {Fanout:ID of the broadcast's span Size:10000 Chosen:10 Kept:0 Recipient:}
}
