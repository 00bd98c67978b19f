// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/waybill-go/waybill/sampling"
)

func ExampleGroupConfig_Plan() {
	plan := sampling.GroupConfig{}.Plan(10_000, nil)
	fmt.Println(len(plan.Sampled), "of", plan.Size, "keep the trace")
	fmt.Println("each stands for", plan.Weight())
	// Output:
	// 10 of 10000 keep the trace
	// each stands for 1000
}

func ExampleGroupConfig_PlanInto() {
	config := sampling.GroupConfig{MaxSpans: 3}
	random := rand.New(rand.NewPCG(1, 2)) // For an output that repeats; nil will do.
	var buf []int
	for range 2 {
		plan := config.PlanInto(buf, 100, random)
		fmt.Println(plan.Sampled)
		buf = plan.Sampled
	}
	// Output:
	// [61 75 78]
	// [4 23 78]
}

func ExampleGroupConfig_Expected() {
	for _, config := range []sampling.GroupConfig{{}, {MaxSpans: 20}} {
		fmt.Println(config.Expected(1), config.Expected(100), config.Expected(100_000))
	}
	// Output:
	// 1 10 100
	// 1 10 20
}

// Where less than one recipient is chosen in the mean, most plans choose
// none, and the rare chosen one stands for several fan-outs.
func ExamplePlan_Weight() {
	curve, _ := sampling.NewCurve(sampling.Point{Size: 1, Probability: 0.0025})
	plan := sampling.GroupConfig{Curve: curve}.Plan(100, nil)
	fmt.Println(plan.Expected, plan.Weight())
	// Output: 0.25 400
}

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
	plan := sampling.GroupConfig{Curve: sampling.Always()}.Plan(5, nil)
	fmt.Println(plan.Sampled, plan.Weight())
	// Output: [0 1 2 3 4] 1
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

// A guild of 1,000 sessions behind three relays: the budget is planned once, and
// each relay chooses its share of it.
func ExamplePlanner_Relays() {
	config := sampling.GroupConfig{MaxSpans: 10}
	sizes := []int{700, 200, 100}
	guild := sampling.Planner{Config: config}.Relays(sizes)
	for i, relay := range guild.Sampled {
		above := guild.Recipient(i) // It travels to the relay in the tracestate.
		plan := sampling.Planner{Config: config, Above: above}.Plan(sizes[relay])
		fmt.Println("relay", relay, "traces", len(plan.Sampled), "which stand for", plan.Recipient(0).Weight, "each")
	}
	// Output:
	// relay 0 traces 7 which stand for 100 each
	// relay 1 traces 2 which stand for 100 each
	// relay 2 traces 1 which stand for 100 each
}

// One fan-out to 10,000 every 100 milliseconds would choose 100 a second.
func ExamplePlanner_Plan() {
	planner := sampling.Planner{
		Config: sampling.GroupConfig{SpansPerSecond: 20},
		Rate:   sampling.NewRate(10 * time.Second), // Shared by all that plan for this group.
	}
	for range 1000 {
		planner.Now += 100 * time.Millisecond
		planner.Plan(10_000)
	}
	plan := planner.Plan(10_000)
	fmt.Printf("%.1f expected\n", plan.Expected)
	// Output: 2.0 expected
}

func ExampleNewRate() {
	rate := sampling.NewRate(10 * time.Second)
	now := time.Minute
	fmt.Printf("%.2f\n", rate.Factor(5, 40, now)) // Up to 50 in a window.
	fmt.Printf("%.2f\n", rate.Factor(5, 60, now))
	// Output:
	// 1.00
	// 0.50
}

func ExampleNewStream() {
	stream := sampling.NewStream(0.001, rand.New(rand.NewPCG(1, 2))) // For an output that repeats; nil will do.
	chosen := 0
	for range 10_000 {
		if stream.Next() {
			chosen++
		}
	}
	fmt.Println(chosen, "of", stream.Seen(), "chosen, each stands for", stream.Weight())
	// Output: 8 of 10000 chosen, each stands for 1000
}

func ExampleControl_RegisterMetrics() {
	control, err := sampling.NewControl(sampling.DefaultConfig())
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

	control.Rate("sessions") // As the group of that name does.
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
}
