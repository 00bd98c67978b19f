// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/waybill-go/waybill/mailbox"
)

// rawRequest is a message that wants its id as the reply.
type rawRequest struct {
	message

	reply chan int
}

// naiveRequest is a request with a trace by hand.
type naiveRequest struct {
	handTraced

	reply chan int
}

// ourRequest is a request to a process.
type ourRequest struct {
	message

	reply mailbox.Reply[int]
}

// callRow measures the calls of one caller, each until its reply arrives. With a
// deadline, all variants give up when the same context ends.
func callRow(name, about string, deadline bool, ratios ...ratio) row {
	return row{
		name: name, about: about, size: 1, ratios: ratios,
		variants: fiveWays(
			func(int) (*contender, error) { return rawCall(deadline), nil },
			func(int) (*contender, error) { return naiveCall(deadline), nil },
			func(_ int, t tracing) (*contender, error) { return ourCall(deadline, t) },
		),
	}
}

// within returns ctx, with a deadline that the run will not reach if deadline is set.
func within(ctx context.Context, deadline bool) (context.Context, context.CancelFunc) {
	if !deadline {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, time.Hour)
}

// calls makes a number of calls and compares the replies with what they should be.
func calls(times int, call func(id int) (int, error)) error {
	for id := range times {
		if got, err := call(id); err != nil || got != id {
			return fmt.Errorf("%w: call %d got %d, %w", errEffect, id, got, err)
		}
	}
	return nil
}

// exchange sends a request and waits for its reply until ctx ends.
func exchange[R any](ctx context.Context, to chan<- R, request R, reply <-chan int) (int, error) {
	select {
	case to <- request:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	select {
	case got := <-reply:
		return got, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func rawCall(deadline bool) *contender {
	t := newTally()
	requests := make(chan rawRequest, sendCapacity)
	var wg sync.WaitGroup
	wg.Go(func() {
		for r := range requests {
			t.take()
			r.reply <- r.id
		}
	})
	ctx, cancel := within(context.Background(), deadline)
	call := func(id int) (int, error) {
		r := rawRequest{message{id: id, text: "hello"}, make(chan int, 1)}
		if deadline {
			return exchange(ctx, requests, r, r.reply)
		}
		requests <- r
		return <-r.reply, nil
	}
	return &contender{
		run:     func(times int) error { return calls(times, call) },
		handled: t.handled,
		tear: func() error {
			cancel()
			close(requests)
			wg.Wait()
			return nil
		},
	}
}

func naiveCall(deadline bool) *contender {
	t, otel := newTally(), newTelemetry(sampled)
	requests := make(chan naiveRequest, sendCapacity)
	var wg sync.WaitGroup
	wg.Go(func() {
		for r := range requests {
			t.take()
			span := otel.receive(r.carrier)
			span.End()
			r.reply <- r.id
		}
	})
	ctx, cancel := within(otel.ctx, deadline)
	call := func(id int) (int, error) {
		r := naiveRequest{handTraced{message{id: id, text: "hello"}, otel.inject()}, make(chan int, 1)}
		if deadline {
			return exchange(ctx, requests, r, r.reply)
		}
		requests <- r
		return <-r.reply, nil
	}
	return &contender{
		run:     func(times int) error { return calls(times, call) },
		handled: t.handled,
		tear: func() error {
			cancel()
			close(requests)
			wg.Wait()
			return nil
		},
		traces: otel, spans: [2]int{1, 1},
	}
}

func ourCall(deadline bool, tr tracing) (*contender, error) {
	t, otel := newTally(), newTelemetry(tr)
	sys := mailbox.NewSystem(mailbox.WithTracerProvider(otel.provider))
	to, err := mailbox.Spawn(sys, "answerer", func(_ context.Context, r ourRequest) error {
		t.take()
		r.reply.Answer(r.id)
		return nil
	}, mailbox.WithCapacity(sendCapacity))
	if err != nil {
		return nil, err
	}
	ctx, cancel := within(otel.ctx, deadline)
	call := func(id int) (int, error) {
		return mailbox.Call(ctx, to, func(reply mailbox.Reply[int]) ourRequest {
			return ourRequest{message{id: id, text: "hello"}, reply}
		})
	}
	c := &contender{
		run:     func(times int) error { return calls(times, call) },
		handled: t.handled,
		tear: func() error {
			cancel()
			return sys.Shutdown(context.Background())
		},
		traces: otel,
	}
	if tr == sampled { // The call's, and the handling's.
		c.spans = [2]int{2, 2}
	}
	return c, nil
}
