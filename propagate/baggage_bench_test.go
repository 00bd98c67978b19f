// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagate"
)

var baggageContenders = []struct {
	name       string
	propagator propagation.TextMapPropagator
}{
	{"otel", propagation.Baggage{}},
	{"waybill", propagate.Baggage{}},
	{"waybill-allow", propagate.Baggage{Allow: []string{"user", "plan", "region", "session", "note"}}},
}

// bags are what BenchmarkBaggage carries, with the number of members.
var bags = []struct {
	name, header string
	members      int
}{
	{"one", "user=alice", 1},
	{"four", "user=alice,plan=free,region=eu-west-1,session=8f14e45fceea167a", 4},
	{"property", longBag, 4},
	{"escaped", "user=alice,note=DF%2028%2C%20in%20M%C3%BCnchen", 2},
}

func BenchmarkBaggageExtract(b *testing.B) {
	for _, in := range bags {
		for _, c := range baggageContenders {
			b.Run(in.name+"/"+c.name, func(b *testing.B) {
				b.ReportAllocs()
				ctx, header := context.Background(), propagation.HeaderCarrier(requestHeader("", "", in.header))
				var last context.Context
				for b.Loop() {
					last = c.propagator.Extract(ctx, header) //nolint:fatcontext // Each has the same parent.
				}
				if got := baggage.FromContext(last).Len(); got != in.members {
					b.Fatal(got)
				}
			})
		}
	}
}

func BenchmarkBaggageInject(b *testing.B) {
	for _, in := range bags {
		ctx := contextWith(b, trace.SpanContext{}, in.header)
		for _, c := range baggageContenders {
			b.Run(in.name+"/"+c.name, func(b *testing.B) {
				b.ReportAllocs()
				header := propagation.HeaderCarrier(requestHeader("", "", ""))
				for b.Loop() {
					c.propagator.Inject(ctx, header)
				}
				if got := header.Get("baggage"); len(got) != len(in.header) {
					b.Fatal(got)
				}
			})
		}
	}
}

// What says that it checks before it allocates must not allocate.
func TestBaggageAllocations(t *testing.T) {
	ctx := t.Context()
	long := propagation.HeaderCarrier{"Baggage": {longBag, longBag}}
	many := propagation.HeaderCarrier{"Baggage": {"x=1,y=2,z=3"}}
	bare := propagation.HeaderCarrier{"Accept": {"*/*"}}
	b := propagate.Baggage{Allow: []string{"user"}, MaxBytes: len(longBag), Counters: new(propagate.Counters)}
	for name, c := range map[string]propagation.HeaderCarrier{"too long": long, "not allowed": many, "absent": bare} {
		assert.Zero(t, testing.AllocsPerRun(100, func() { _ = b.Extract(ctx, c) }), name)
	}
	assert.Zero(t, testing.AllocsPerRun(100, func() { b.Inject(ctx, bare) }), "nothing to write")
}
