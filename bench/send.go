// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"sync"

	"github.com/waybill-go/waybill/mailbox"
)

// message is a message to one process.
type message struct {
	id   int
	text string
}

// handTraced is a message with a trace by hand.
type handTraced struct {
	message

	carrier carrier
}

// sendCapacity is the capacity of the channel or mailbox.
const sendCapacity = 1024

// sendRow measures sends to one process until all are handled.
func sendRow(name, about string, senders int, ratios ...ratio) row {
	return row{
		name: name, about: about, size: senders, ratios: ratios,
		variants: fiveWays(rawSend, naiveSend, ourSend),
	}
}

// spread lets several senders send at the same time, a number of times each.
func spread(senders, times int, send func(times int) error) error {
	if senders == 1 {
		return send(times)
	}
	failed := make(chan error, senders)
	for range senders {
		go func() { failed <- send(times) }()
	}
	var first error
	for range senders {
		if err := <-failed; first == nil {
			first = err
		}
	}
	return first
}

func rawSend(senders int) (*contender, error) {
	t := newTally()
	messages := make(chan message, sendCapacity)
	var wg sync.WaitGroup
	wg.Go(func() {
		for range messages {
			t.take()
		}
	})
	return &contender{
		run: func(times int) error {
			t.expect(senders * times)
			err := spread(senders, times, func(times int) error {
				for i := range times {
					messages <- message{id: i, text: "hello"}
				}
				return nil
			})
			t.wait()
			return err
		},
		handled: t.handled,
		tear: func() error {
			close(messages)
			wg.Wait()
			return nil
		},
	}, nil
}

func naiveSend(senders int) (*contender, error) {
	t, otel := newTally(), newTelemetry(sampled)
	messages := make(chan handTraced, sendCapacity)
	var wg sync.WaitGroup
	wg.Go(func() {
		for p := range messages {
			span := otel.receive(p.carrier)
			span.End()
			t.take()
		}
	})
	return &contender{
		run: func(times int) error {
			t.expect(senders * times)
			err := spread(senders, times, func(times int) error {
				for i := range times {
					messages <- handTraced{message{id: i, text: "hello"}, otel.inject()}
				}
				return nil
			})
			t.wait()
			return err
		},
		handled: t.handled,
		tear: func() error {
			close(messages)
			wg.Wait()
			return nil
		},
		traces: otel, spans: [2]int{senders, senders},
	}, nil
}

func ourSend(senders int, tr tracing) (*contender, error) { return ourSendIn(senders, tr) }

// ourSendIn is ourSend in a system with those options.
func ourSendIn(senders int, tr tracing, opts ...mailbox.SystemOption) (*contender, error) {
	t, otel := newTally(), newTelemetry(tr)
	sys := mailbox.NewSystem(append(opts, mailbox.WithTracerProvider(otel.provider))...)
	to, err := mailbox.Spawn(sys, "receiver", func(context.Context, message) error {
		t.take()
		return nil
	}, mailbox.WithCapacity(sendCapacity))
	if err != nil {
		return nil, err
	}
	send := func(times int) error {
		for i := range times {
			if err := to.Send(otel.ctx, message{id: i, text: "hello"}); err != nil {
				return err
			}
		}
		return nil
	}
	c := &contender{
		run: func(times int) error {
			t.expect(senders * times)
			if err := spread(senders, times, send); err != nil {
				return err // The messages that were not sent would never be handled.
			}
			t.wait()
			return nil
		},
		handled: t.handled,
		tear:    func() error { return sys.Shutdown(context.Background()) },
		traces:  otel,
	}
	if tr == sampled {
		c.spans = [2]int{senders, senders}
	}
	return c, nil
}
