// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/waybill-go/waybill/mailbox"
)

// A counter that is found by its ID, starts afresh when it panics, and saves its
// state when it is passivated.
func ExampleKind_GetOrSpawn() {
	ctx := context.Background()
	saved := make(map[string]int) // A database, for real.
	start := func(_ context.Context, self mailbox.Ref[int]) (mailbox.Instance[int], error) {
		total := saved[self.ID()]
		fmt.Println(self.ID(), "begins with", total)
		return mailbox.Instance[int]{
			Handle: func(_ context.Context, n int) error {
				if n < 0 {
					panic("a negative number")
				}
				total += n
				return nil
			},
			Save: func(context.Context) error {
				saved[self.ID()] = total
				return nil
			},
		}, nil
	}

	sys := mailbox.NewSystem()
	counters, err := mailbox.NewKind[int](sys, "counter",
		mailbox.WithPanicPolicy(mailbox.Restart),
		mailbox.WithRestartPolicy(mailbox.RestartPolicy{MinBackoff: time.Millisecond}))
	if err != nil {
		panic(err)
	}
	for _, n := range []int{1, 2, -1, 4} { // 1 and 2 are lost with the state that panicked.
		counter, err := counters.GetOrSpawn("visits", start)
		if err != nil {
			panic(err)
		}
		if err := counter.Send(ctx, n); err != nil {
			panic(err)
		}
	}
	counter, _ := counters.Lookup("visits")
	if err := <-counter.Passivate(); err != nil { // When it has nothing to do. Or by itself: see WithPassivation.
		panic(err)
	}
	fmt.Println("saved", saved["visits"])
	if err := counter.Send(ctx, 1); err != nil {
		panic(err)
	}
	if err := sys.Shutdown(ctx); err != nil {
		panic(err)
	}
	// Output:
	// visits begins with 0
	// visits begins with 0
	// saved 4
	// visits begins with 4
}

// One process learns of another's end.
func ExampleWatch() {
	ctx := context.Background()
	sys := mailbox.NewSystem()
	supervisor, err := mailbox.Spawn(sys, "supervisor", func(_ context.Context, e mailbox.Termination) error {
		fmt.Println(e.Kind, "ended:", e.Err)
		return nil
	})
	if err != nil {
		panic(err)
	}
	worker, err := mailbox.Spawn(sys, "worker", func(context.Context, string) error {
		return errors.New("out of paper")
	}, mailbox.WithErrorPolicy(mailbox.Terminate))
	if err != nil {
		panic(err)
	}
	mailbox.Watch(supervisor, worker, func(e mailbox.Termination) mailbox.Termination { return e })
	if err := worker.Send(ctx, "print"); err != nil {
		panic(err)
	}
	if err := sys.Shutdown(ctx); err != nil {
		panic(err)
	}
	// Output:
	// worker ended: out of paper
}

// A session ends with its guild.
func ExampleLink() {
	sys := mailbox.NewSystem()
	idle := func(context.Context, string) error { return nil }
	guild, err := mailbox.Spawn(sys, "guild", idle)
	if err != nil {
		panic(err)
	}
	session, err := mailbox.Spawn(sys, "session", idle)
	if err != nil {
		panic(err)
	}
	mailbox.Link(session, guild)
	guild.Kill()
	<-session.Done()
	fmt.Println(session.Err())
	// Output:
	// mailbox: ended with a linked process: guild: mailbox: killed
}

func ExampleSystem_RegisterMetrics() {
	sys := mailbox.NewSystem()
	reader := sdkmetric.NewManualReader() // A program has one that exports.
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("example")
	registration, err := sys.RegisterMetrics(meter)
	if err != nil {
		panic(err)
	}
	defer registration.Unregister() //nolint:errcheck // The program ends.
	guild, err := mailbox.Spawn(sys, "guild", func(context.Context, string) error { return nil })
	if err != nil {
		panic(err)
	}
	if err := guild.Send(context.Background(), "hello"); err != nil {
		panic(err)
	}
	if err := sys.Shutdown(context.Background()); err != nil {
		panic(err)
	}

	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		panic(err)
	}
	for _, m := range all.ScopeMetrics[0].Metrics[:2] {
		point := m.Data.(metricdata.Sum[int64]).DataPoints[0]
		fmt.Println(m.Name, point.Attributes.Encoded(attribute.DefaultEncoder()), point.Value)
	}
	// Output:
	// waybill.mailbox.processes waybill.process.kind=guild 0
	// waybill.mailbox.accepted waybill.process.kind=guild 1
}
