// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate_test

import (
	"context"
	"fmt"
	"net/http"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"

	"github.com/waybill-go/waybill/propagate"
)

func ExampleBaggage() {
	var counters propagate.Counters
	public := propagate.Baggage{Allow: []string{"tenant"}, MaxMembers: 8, MaxBytes: 1024, Counters: &counters}

	incoming := http.Header{}
	incoming.Add("baggage", "tenant=caf%C3%A9;ttl=60, admin=true")
	incoming.Add("baggage", "malformed")
	ctx := public.Extract(context.Background(), propagation.HeaderCarrier(incoming))
	fmt.Println(baggage.FromContext(ctx).Len(), baggage.FromContext(ctx).Member("tenant").Value())
	fmt.Println(counters.Counts().Dropped)

	outgoing := http.Header{}
	propagate.Baggage{}.Inject(ctx, propagation.HeaderCarrier(outgoing))
	fmt.Println(outgoing.Get("baggage"))
	// Output:
	// 1 café
	// 2
	// tenant=caf%C3%A9;ttl=60
}

func ExampleSampledFirst_baggage() {
	propagator := propagate.SampledFirst{
		Baggage:  propagate.Baggage{Allow: []string{"tenant"}},
		Counters: new(propagate.Counters),
	}
	carrier := propagation.MapCarrier{"baggage": "tenant=acme,admin=true"}

	ctx := propagator.Extract(context.Background(), carrier)
	fmt.Println(baggage.FromContext(ctx), propagator.Counters.Counts().Dropped)
	// Output: tenant=acme 1
}
