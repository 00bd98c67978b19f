// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"runtime"
	"strconv"
	"sync"

	"github.com/waybill-go/waybill/mailbox"
)

// spawnRow measures how long it takes to make a process. When the clock has stopped,
// each process is sent a message, to verify that it works.
func spawnRow(name string, how spawning, ratios ...ratio) row {
	return row{
		name: name, about: "a new process, " + how.String(),
		size: 1, ratios: ratios,
		variants: []variant{
			{raw, func(size int) (*contender, error) { return rawSpawn(size), nil }},
			{ours, func(size int) (*contender, error) { return ourSpawn(size, how, false) }},
		},
	}
}

// spawning is how processes are made.
type spawning int

const (
	bare       spawning = iota // no ID, one handler for all
	registered                 // each with a closure of its own, and found by its ID
)

// String describes how, in words.
func (s spawning) String() string {
	if s == registered {
		return "registered by its ID, with a closure of its own"
	}
	return "without an ID, its handler shared"
}

// rawSpawn is done when one can send to the channels. It does not wait until the
// goroutines run.
func rawSpawn(size int) *contender {
	release := ballast()
	var c arrivals
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

// ourSpawn sends each process a message, to verify that it works. If used is set, it
// does so at once, and otherwise when everything has been measured.
func ourSpawn(size int, how spawning, used bool) (*contender, error) {
	c, otel := &arrivals{}, newTelemetry(untraced)
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
	shared := func(context.Context, message) error {
		c.take()
		return nil
	}
	spawn := func(times int) error {
		for i := range times * size {
			var p mailbox.Ref[message]
			var err error
			if how == registered {
				id := strconv.Itoa(i)
				p, err = kind.GetOrSpawn(id, func(
					context.Context, mailbox.Ref[message],
				) (mailbox.Instance[message], error) {
					runtime.KeepAlive(id)
					return mailbox.Instance[message]{Handle: shared}, nil
				})
			} else {
				p, err = kind.Spawn("", shared)
			}
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
