// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/timings"
	"github.com/waybill-go/waybill/sampling"
)

// Variants of ours that differ in their timings. All have a control.
const (
	oursUntimed      = "ours-untimed"       // no store of timings
	oursTimingsOff   = "ours-timings-off"   // a store, and nothing is timed
	oursTimedSampled = "ours-timed-sampled" // one message in timedOneIn is timed
	oursTimed        = "ours-timed"         // every message is timed
)

// timedOneIn is for kinds with very many light messages: of a broadcast to 10,000, ten are timed.
const timedOneIn = 1000

// timingsWorkRow measures timings where a handler has something to do.
func timingsWorkRow(takes time.Duration, ratios ...ratio) row {
	return row{
		name: "timings-work", about: fmt.Sprintf("one sender to one process, whose handler computes for about %v", takes),
		size: 1, ratios: ratios,
		variants: timedVariants(
			func(int) (*contender, error) { return rawWork(takes) },
			func(_ int, opts ...mailbox.SystemOption) (*contender, error) { return ourWork(takes, opts...) },
		),
	}
}

// timingsFanoutRow measures timings where handlers do nothing.
func timingsFanoutRow(recipients int, ratios ...ratio) row {
	return row{
		name:  fmt.Sprintf("timings-fanout-%d", recipients),
		about: fmt.Sprintf("one message to %d recipients that do nothing, for each of them", recipients),
		size:  recipients, ratios: ratios,
		variants: timedVariants(rawFanout, func(size int, opts ...mailbox.SystemOption) (*contender, error) {
			return ourFanoutIn(size, untraced, opts...)
		}),
	}
}

func timedVariants(
	rawWay func(size int) (*contender, error), ourWay func(size int, opts ...mailbox.SystemOption) (*contender, error),
) []variant {
	with := func(store bool, oneIn int) func(int) (*contender, error) {
		return func(size int) (*contender, error) {
			control, err := sampling.NewControl(sampling.Config{Default: sampling.KindConfig{TimeOneIn: oneIn}})
			if err != nil {
				return nil, err
			}
			if !store {
				return ourWay(size, mailbox.WithControl(control))
			}
			kept := timings.New(timings.Config{})
			c, err := ourWay(size, mailbox.WithControl(control), mailbox.WithTimings(kept))
			if err == nil {
				c.tear = checkTimings(c, kept, oneIn)
			}
			return c, err
		}
	}
	return []variant{
		{raw, rawWay},
		{oursUntimed, with(false, 0)},
		{oursTimingsOff, with(true, 0)},
		{oursTimedSampled, with(true, timedOneIn)},
		{oursTimed, with(true, 1)},
	}
}

// checkTimings returns c's tear, which also checks that what was to be timed was timed.
func checkTimings(c *contender, kept *timings.Store, oneIn int) func() error {
	tear := c.tear
	return func() error {
		if err := tear(); err != nil {
			return err
		}
		var timed int
		for _, k := range kept.Kinds(timings.Query{Minutes: 60}).Kinds {
			timed += int(k.All.Timed) //nolint:gosec // A count.
		}
		if handled := c.handled(); oneIn < 2 && timed != oneIn*handled {
			return fmt.Errorf("%w: %d of %d messages were timed", errEffect, timed, handled)
		}
		return nil
	}
}

func rawWork(takes time.Duration) (*contender, error) {
	t, work := newTally(), workFor(takes)
	messages := make(chan message, sendCapacity)
	var wg sync.WaitGroup
	wg.Go(func() {
		for range messages {
			work()
			t.take()
		}
	})
	return &contender{
		run: func(times int) error {
			t.expect(times)
			for i := range times {
				messages <- message{id: i, text: "hello"}
			}
			t.wait()
			return nil
		},
		handled: t.handled,
		tear: func() error {
			close(messages)
			wg.Wait()
			return nil
		},
	}, nil
}

func ourWork(takes time.Duration, opts ...mailbox.SystemOption) (*contender, error) {
	t, work := newTally(), workFor(takes)
	sys := mailbox.NewSystem(opts...)
	to, err := mailbox.Spawn(sys, "receiver", func(context.Context, message) error {
		work()
		t.take()
		return nil
	}, mailbox.WithCapacity(sendCapacity))
	if err != nil {
		return nil, err
	}
	return &contender{
		run: func(times int) error {
			t.expect(times)
			for i := range times {
				if err := to.Send(context.Background(), message{id: i, text: "hello"}); err != nil {
					return err
				}
			}
			t.wait()
			return nil
		},
		handled: t.handled,
		tear:    func() error { return sys.Shutdown(context.Background()) },
	}, nil
}

// workFor returns a function that computes for about that long: as many steps for all
// variants.
func workFor(takes time.Duration) func() {
	steps := int(float64(takes) / stepTime())
	x := new(uint64)
	*x = 1
	return func() { *x = compute(*x, steps) }
}

// stepTime returns how many nanoseconds a step of compute takes. The shortest of several
// times is the one that was interrupted least.
var stepTime = sync.OnceValue(func() float64 {
	const steps = 200_000
	shortest, x := time.Hour, uint64(1)
	for range 20 {
		begin := time.Now()
		x = compute(x, steps)
		shortest = min(shortest, time.Since(begin))
	}
	return float64(shortest) / steps
})

//go:noinline
func compute(x uint64, steps int) uint64 {
	for range steps {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	return x
}
