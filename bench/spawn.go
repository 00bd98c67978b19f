// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/waybill-go/waybill/mailbox"
)

// spawnRow measures the making of a process. That each works, by sending it a
// message, is verified after the clock has stopped.
func spawnRow(ratios ...ratio) row {
	return row{
		name: "spawn", about: "a new process, with an ID and in its system's registry",
		size: 1, ratios: ratios,
		variants: []variant{
			{raw, func(size int) (*contender, error) { return rawSpawn(size), nil }},
			{ours, func(size int) (*contender, error) { return ourSpawn(size, false) }},
		},
	}
}

// oursUsed is a process that is idle again after its first message.
const oursUsed = "ours-used"

// idleRow measures the memory of processes that have nothing to do. The runtime
// keeps the descriptors of dead goroutines for new ones: from its second round
// on, raw looks some 0.4 KB better than it is.
func idleRow(processes int, ratios ...ratio) row {
	return row{
		name: "idle", about: strconv.Itoa(processes) + " idle processes; B/op is the memory that each keeps in use",
		size: processes, retained: true, ratios: ratios,
		variants: []variant{
			{raw, func(size int) (*contender, error) { return rawSpawn(size), nil }},
			{ours, func(size int) (*contender, error) { return ourSpawn(size, false) }},
			{oursUsed, func(size int) (*contender, error) { return ourSpawn(size, true) }},
		},
	}
}

// bytesOf is what each operation of a variant leaves in use.
func bytesOf(variant string, target float64) ratio {
	return ratio{variant + " bytes", target, func(r round) float64 { return r[variant].bytes }}
}

// crowd counts the first message of each of many processes.
type crowd struct {
	count  atomic.Int64
	joined sync.WaitGroup
}

func (c *crowd) take() {
	c.count.Add(1)
	c.joined.Done()
}

func (c *crowd) handled() int { return int(c.count.Load()) }

// ballast parks goroutines until the returned function is called. The runtime
// takes the mean use of all stacks for the size of new ones: with the harness
// alone that gives each goroutine 4 KiB, among others of their kind 2.
func ballast() (release func()) {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() { <-stop })
	}
	return func() {
		close(stop)
		wg.Wait()
	}
}

// rawSpawn is done when the channels are there to be sent to: it need not wait
// until the goroutines have come to run.
func rawSpawn(size int) *contender {
	release := ballast()
	var c crowd
	var ended sync.WaitGroup
	var boxes []chan message
	serve := func(box <-chan message) {
		for range box {
			c.take()
		}
		ended.Done()
	}
	return &contender{
		run: func(times int) error {
			for range times * size {
				box := make(chan message, recipientCapacity)
				go serve(box)
				boxes = append(boxes, box)
			}
			return nil
		},
		verify: func() error {
			c.joined.Add(len(boxes))
			ended.Add(len(boxes))
			for i, box := range boxes {
				box <- message{id: i, text: "hello"}
				close(box)
			}
			c.joined.Wait()
			ended.Wait()
			clear(boxes)
			boxes = boxes[:0]
			return nil
		},
		handled: c.handled,
		tear: func() error {
			release()
			return nil
		},
	}
}

// ourSpawn sends the message that proves a process to work at once if used is
// set, and after everything is measured otherwise.
func ourSpawn(size int, used bool) (*contender, error) {
	c, otel := &crowd{}, newTelemetry(untraced)
	var sys *mailbox.System
	var kind *mailbox.Kind[message]
	var processes []mailbox.Ref[message]
	renew := func() (err error) {
		sys = mailbox.NewSystem(mailbox.WithTracerProvider(otel.provider))
		kind, err = mailbox.NewKind[message](sys, "process", mailbox.WithCapacity(recipientCapacity))
		return err
	}
	use := func() error {
		c.joined.Add(len(processes))
		for i, p := range processes {
			if err := p.Send(otel.ctx, message{id: i, text: "hello"}); err != nil {
				return err
			}
		}
		c.joined.Wait()
		return nil
	}
	spawn := func(times int) error {
		for i := range times * size {
			p, err := kind.Spawn(strconv.Itoa(i), func(context.Context, message) error {
				c.take()
				return nil
			})
			if err != nil {
				return err
			}
			processes = append(processes, p)
		}
		if used {
			return use()
		}
		return nil
	}
	verify := func() error {
		if !used {
			if err := use(); err != nil {
				return err
			}
		}
		clear(processes)
		processes = processes[:0]
		if err := sys.Shutdown(context.Background()); err != nil {
			return err
		}
		return renew()
	}
	return &contender{
		run: spawn, verify: verify, handled: c.handled, traces: otel,
		tear: func() error { return sys.Shutdown(context.Background()) },
	}, renew()
}
