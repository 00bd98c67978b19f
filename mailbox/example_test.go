// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"fmt"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
)

func ExampleNewSystem() {
	ctx := context.Background()
	sys := mailbox.NewSystem()
	greeter, err := mailbox.Spawn(sys, "greeter", func(_ context.Context, name string) error {
		fmt.Println("hello", name)
		return nil
	})
	if err != nil {
		panic(err)
	}
	for _, name := range []string{"Ada", "Grace"} {
		if err := greeter.Send(ctx, name); err != nil {
			panic(err)
		}
	}
	if err := sys.Shutdown(ctx); err != nil { // What was accepted is handled.
		panic(err)
	}
	fmt.Println(sys.Stats().Handled, "handled")
	// Output:
	// hello Ada
	// hello Grace
	// 2 handled
}

// The handling of a traced message is a span below its sender's.
func ExampleSpawn() {
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	type Ship struct{ Order int }

	sys := mailbox.NewSystem(mailbox.WithTracerProvider(provider))
	warehouse, err := mailbox.Spawn(sys, "warehouse", func(context.Context, Ship) error { return nil },
		mailbox.WithCapacity(64),
		mailbox.WithOverflow(mailbox.Refuse))
	if err != nil {
		panic(err)
	}

	ctx, span := provider.Tracer("shop").Start(context.Background(), "checkout")
	if err := warehouse.Send(ctx, Ship{Order: 7}); err != nil {
		panic(err)
	}
	if err := sys.Shutdown(ctx); err != nil {
		panic(err)
	}
	span.End()

	for _, s := range spans.GetSpans() {
		fmt.Printf("%s (%s), child of checkout: %v\n",
			s.Name, s.SpanKind, s.Parent.SpanID() == span.SpanContext().SpanID())
	}
	// Output:
	// warehouse Ship (consumer), child of checkout: true
	// checkout (internal), child of checkout: false
}

// Many processes of one kind share its name and settings; each has a handler,
// and so a state, of its own.
func ExampleNewKind() {
	ctx := context.Background()
	sys := mailbox.NewSystem()
	counters, err := mailbox.NewKind[int](sys, "counter", mailbox.WithCapacity(16))
	if err != nil {
		panic(err)
	}
	for _, id := range []string{"red", "blue"} {
		sum := 0 // Only its process ever touches it: no lock.
		counter, err := counters.Spawn(id, func(_ context.Context, n int) error {
			sum += n
			fmt.Println(id, sum)
			return nil
		})
		if err != nil {
			panic(err)
		}
		for n := range 3 {
			if err := counter.Send(ctx, n); err != nil {
				panic(err)
			}
		}
		if err := counter.Stop(ctx); err != nil {
			panic(err)
		}
	}
	_, err = mailbox.NewKind[int](sys, "counter", mailbox.WithCapacity(-1))
	fmt.Println(err)
	// Output:
	// red 0
	// red 1
	// red 3
	// blue 0
	// blue 1
	// blue 3
	// kind "counter": mailbox: invalid configuration: capacity -1
}

func ExampleCall() {
	ctx := context.Background()
	type Add struct {
		N     int
		Total mailbox.Reply[int]
	}
	sum := 0
	sys := mailbox.NewSystem()
	adder, err := mailbox.Spawn(sys, "adder", func(_ context.Context, m Add) error {
		if m.N < 0 {
			return fmt.Errorf("cannot add %d", m.N) // The caller's error too.
		}
		sum += m.N
		m.Total.Answer(sum)
		return nil
	})
	if err != nil {
		panic(err)
	}
	for _, n := range []int{2, 3, -1} {
		fmt.Println(mailbox.Call(ctx, adder, func(total mailbox.Reply[int]) Add { return Add{n, total} }))
	}
	if err := sys.Shutdown(ctx); err != nil {
		panic(err)
	}
	// Output:
	// 2 <nil>
	// 5 <nil>
	// 0 cannot add -1
}

// Of a traced broadcast to 10,000, ten recipients are sampled, chosen at
// random; each stands for a thousand.
func ExampleNewGroup() {
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	sys := mailbox.NewSystem(mailbox.WithTracerProvider(provider))
	kind, err := mailbox.NewKind[string](sys, "session")
	if err != nil {
		panic(err)
	}
	sessions, err := mailbox.NewGroup[string](sys, "sessions", mailbox.WithSampling(sampling.GroupConfig{}))
	if err != nil {
		panic(err)
	}
	for range 10_000 {
		session, err := kind.Spawn("", func(context.Context, string) error { return nil })
		if err != nil {
			panic(err)
		}
		if err := sessions.Join(session); err != nil {
			panic(err)
		}
	}

	ctx, span := provider.Tracer("chat").Start(context.Background(), "post")
	fmt.Printf("%+v\n", sessions.Broadcast(ctx, "hello"))
	span.End()
	if err := sys.Shutdown(ctx); err != nil {
		panic(err)
	}
	names := make(map[string]int)
	for _, s := range spans.GetSpans() {
		names[s.Name]++
	}
	fmt.Println(names, sys.Stats().Handled, "handled")
	// Output:
	// {Size:10000 Delivered:10000 Refused:0 Full:0 Stopped:0 Sampled:10}
	// map[broadcast sessions:1 post:1 session string:10] 10000 handled
}
