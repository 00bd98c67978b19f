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

// blockedRow measures how long a message to a free process waits behind messages to
// handlers that block, as on a database. Its time is that delay alone, from before the
// sending until the handler runs. Its allocations include those of making, blocking and
// ending all processes.
func blockedRow(handlers int, mostMS float64) row {
	return row{
		name:  fmt.Sprintf("blocked-%d", handlers),
		about: fmt.Sprintf("the delay of a message to a free process behind %d handlers that block", handlers),
		size:  1, once: true,
		variants: []variant{
			{raw, func(int) (*contender, error) { return behind(handlers, rawPlace), nil }},
			{ours, func(int) (*contender, error) { return behind(handlers, ourPlace), nil }},
		},
		ratios: []ratio{worstDelay(ours, mostMS)},
	}
}

// worstDelay is the longest time of a variant in any round, in milliseconds.
func worstDelay(variant string, target float64) ratio {
	return ratio{
		name: variant + " worst ms", target: target, worst: true,
		of: func(r round) float64 { return r[variant].ns / float64(time.Millisecond) },
	}
}

// job is a message that the handler calls.
type job func()

// place has a number of processes that do jobs.
type place struct {
	send func(to int, do job) error
	// leave ends all processes.
	leave func() error
}

// behind measures the delay of a job behind jobs that block their handlers.
func behind(handlers int, open func(processes int) (place, error)) *contender {
	handled, waited := 0, time.Duration(0)
	return &contender{
		run: func(times int) error {
			for range times {
				p, err := open(handlers + 1)
				if err != nil {
					return err
				}
				delay, err := p.delay(handlers)
				if err != nil {
					return err
				}
				waited += delay
				handled++
				if err := p.leave(); err != nil {
					return err
				}
			}
			return nil
		},
		timed:   func() time.Duration { return waited },
		handled: func() int { return handled },
		tear:    func() error { return nil },
	}
}

// delay makes a number of processes block and then sends a job to one more process. It
// returns when that job is done and all the others have been in their handlers at the
// same time.
func (p place) delay(handlers int) (delay time.Duration, err error) {
	var ready, entered sync.WaitGroup
	ready.Add(handlers + 1) // Every process has run once, and is idle.
	for i := range handlers + 1 {
		if err := p.send(i, ready.Done); err != nil {
			return 0, err
		}
	}
	ready.Wait()

	entered.Add(handlers)
	release, arrived := make(chan struct{}), make(chan time.Time, 1)
	defer close(release)
	for i := range handlers {
		if err := p.send(i, func() { entered.Done(); <-release }); err != nil {
			return 0, err
		}
	}
	sent := time.Now()
	if err := p.send(handlers, func() { arrived <- time.Now() }); err != nil {
		return 0, err
	}
	delay = (<-arrived).Sub(sent)
	entered.Wait()
	return delay, nil
}

// rawPlace has a goroutine with a channel for each process.
func rawPlace(processes int) (place, error) {
	var ended sync.WaitGroup
	boxes := make([]chan job, processes)
	for i := range boxes {
		box := make(chan job, recipientCapacity)
		boxes[i] = box
		ended.Go(func() {
			for do := range box {
				do()
			}
		})
	}
	return place{
		send: func(to int, do job) error { boxes[to] <- do; return nil },
		leave: func() error {
			for _, box := range boxes {
				close(box)
			}
			ended.Wait()
			return nil
		},
	}, nil
}

// ourPlace has a system of its own, with no workers from before.
func ourPlace(processes int) (place, error) {
	ctx := context.Background()
	sys := mailbox.NewSystem()
	kind, err := mailbox.NewKind[job](sys, "process", mailbox.WithCapacity(recipientCapacity))
	if err != nil {
		return place{}, err
	}
	handle := func(_ context.Context, do job) error {
		do()
		return nil
	}
	refs := make([]mailbox.Ref[job], processes)
	for i := range refs {
		if refs[i], err = kind.Spawn("", handle); err != nil {
			return place{}, err
		}
	}
	return place{
		send:  func(to int, do job) error { return refs[to].Send(ctx, do) },
		leave: func() error { return sys.Shutdown(ctx) },
	}, nil
}
