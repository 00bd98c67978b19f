// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling_test

import (
	"context"
	"errors"
	"fmt"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
)

func ExampleDefaultCurve() {
	curve := sampling.DefaultCurve()
	for _, n := range []int{1, 10, 100, 1000, 10_000, 100_000} {
		fmt.Printf("%d: %.3g\n", n, curve.Probability(n))
	}
	// Output:
	// 1: 1
	// 10: 0.316
	// 100: 0.1
	// 1000: 0.01
	// 10000: 0.001
	// 100000: 0.001
}

func ExampleAlways() {
	fmt.Println(sampling.Always().Probability(100_000))
	// Output: 1
}

func ExampleNewCurve() {
	curve, err := sampling.NewCurve(
		sampling.Point{Size: 10, Probability: 1},
		sampling.Point{Size: 1000, Probability: 0.01},
	)
	fmt.Printf("%.3f %.3f %.3f %v\n", curve.Probability(5), curve.Probability(100), curve.Probability(5000), err)

	_, err = sampling.NewCurve(sampling.Point{Size: 10, Probability: 1.5})
	fmt.Println(errors.Is(err, sampling.ErrCurve), err)
	// Output:
	// 1.000 0.100 0.010 <nil>
	// true sampling: invalid curve: probability 1.5 at size 10 is not in (0, 1]
}

func ExampleControl_RegisterMetrics() {
	control, err := sampling.NewControl(sampling.Config{})
	if err != nil {
		panic(err)
	}
	reader := sdkmetric.NewManualReader() // A program has one that exports.
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("example")
	registration, err := control.RegisterMetrics(meter)
	if err != nil {
		panic(err)
	}
	defer registration.Unregister() //nolint:errcheck // The program ends.
	if _, err := sampling.RegisterMetrics(meter); err != nil {
		panic(err)
	}

	if _, err := mailbox.NewGroup[string](mailbox.NewSystem(mailbox.WithControl(control)), "sessions"); err != nil {
		panic(err)
	}
	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		panic(err)
	}
	for _, m := range all.ScopeMetrics[0].Metrics {
		fmt.Println(m.Name, m.Unit)
	}
	// Output:
	// waybill.sampling.shed.fanouts {fanout}
	// waybill.sampling.shed.spans {span}
	// waybill.sampling.ignored {reading}
	// waybill.sampling.roots.refused {span}
	// waybill.plugins.panics {panic}
}
