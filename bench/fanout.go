// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"sync"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
)

// event is the message that is fanned out. All recipients share it.
type event struct{ text string }

// notice is an event with a trace by hand.
type notice struct {
	event   *event
	carrier carrier
}

// recipientCapacity is the capacity of each recipient's channel or mailbox.
const recipientCapacity = 16

// fanoutRow measures broadcasts, for each recipient. The next broadcast begins when all
// recipients have handled the one before.
func fanoutRow(recipients int, ratios ...ratio) row {
	return row{
		name:  fmt.Sprintf("fanout-%d", recipients),
		about: fmt.Sprintf("one message to %d recipients, for each of them", recipients),
		size:  recipients, ratios: ratios,
		variants: fiveWays(rawFanout, naiveFanout, ourFanout),
	}
}

// perSampled is how many nanoseconds each sampled recipient adds to what the
// broadcast takes without a trace.
func perSampled(recipients int) ratio {
	const target = 2500
	share := sampling.DefaultCurve().Probability(recipients)
	return ratio{name: "ns per sampled recipient", target: target, of: func(r round) float64 {
		return (r[oursSampled].ns - r[oursUntraced].ns) / share
	}}
}

func rawFanout(recipients int) (*contender, error) {
	return overChannels(recipients, func(e *event) *event { return e })
}

// pair is a message and a pointer beside it, without anything to do with the pointer.
type pair struct {
	*event

	_ *int
}

// rawPairFanout shows what it costs that an envelope is two words where a pointer is one.
func rawPairFanout(recipients int) (*contender, error) {
	return overChannels(recipients, func(e *event) pair { return pair{event: e} })
}

func overChannels[T any](recipients int, as func(*event) T) (*contender, error) {
	l := newLatch(recipients)
	var wg sync.WaitGroup
	boxes := make([]chan T, recipients)
	for i := range boxes {
		box, count := make(chan T, recipientCapacity), l.of(i)
		boxes[i] = box
		wg.Go(func() {
			for range box {
				count.take()
			}
		})
	}
	return &contender{
		run: func(times int) error {
			for range times {
				e := as(&event{text: "hello"})
				for _, box := range boxes {
					box <- e
				}
				l.wait()
			}
			return nil
		},
		handled: l.handled,
		tear:    closing(boxes, &wg),
	}, nil
}

func naiveFanout(recipients int) (*contender, error) {
	l, otel := newLatch(recipients), newTelemetry(sampled)
	var wg sync.WaitGroup
	boxes := make([]chan notice, recipients)
	for i := range boxes {
		box, count := make(chan notice, recipientCapacity), l.of(i)
		boxes[i] = box
		wg.Go(func() {
			for n := range box {
				span := otel.receive(n.carrier)
				span.End()
				count.take()
			}
		})
	}
	return &contender{
		run: func(times int) error {
			for range times {
				e := &event{text: "hello"}
				for _, box := range boxes {
					box <- notice{e, otel.inject()}
				}
				l.wait()
			}
			return nil
		},
		handled: l.handled,
		tear:    closing(boxes, &wg),
		traces:  otel, spans: [2]int{recipients, recipients},
	}, nil
}

func ourFanout(recipients int, tr tracing) (*contender, error) { return ourFanoutIn(recipients, tr) }

// ourFanoutIn is ourFanout in a system with those options.
func ourFanoutIn(recipients int, tr tracing, opts ...mailbox.SystemOption) (*contender, error) {
	l, otel := newLatch(recipients), newTelemetry(tr)
	sys := mailbox.NewSystem(append(opts, mailbox.WithTracerProvider(otel.provider))...)
	group, err := mailbox.NewGroup[*event](sys, "recipients")
	if err != nil {
		return nil, err
	}
	kind, err := mailbox.NewKind[*event](sys, "recipient", mailbox.WithCapacity(recipientCapacity))
	if err != nil {
		return nil, err
	}
	for i := range recipients {
		count := l.of(i)
		member, err := kind.Spawn(strconv.Itoa(i), func(context.Context, *event) error {
			count.take()
			return nil
		})
		if err != nil {
			return nil, err
		}
		if err := group.Join(member); err != nil {
			return nil, err
		}
	}
	c := &contender{
		run: func(times int) error {
			for range times {
				d := group.Broadcast(otel.ctx, &event{text: "hello"})
				if d.Delivered != recipients {
					return fmt.Errorf("%w: %d of %d delivered", errEffect, d.Delivered, recipients)
				}
				l.wait()
			}
			return nil
		},
		handled: l.handled,
		tear:    func() error { return sys.Shutdown(context.Background()) },
		traces:  otel,
	}
	if tr == sampled {
		c.spans = broadcastSpans(recipients)
	}
	return c, nil
}

// closing returns what tears down goroutines that range over boxes.
func closing[M any](boxes []chan M, wg *sync.WaitGroup) func() error {
	return func() error {
		for _, box := range boxes {
			close(box)
		}
		wg.Wait()
		return nil
	}
}

// broadcastSpans returns how many spans a traced broadcast must make, at least and at most:
// its own, and those of the recipients that are sampled.
func broadcastSpans(recipients int) [2]int {
	expected := float64(recipients) * sampling.DefaultCurve().Probability(recipients)
	return [2]int{1 + int(math.Floor(expected)), 1 + int(math.Ceil(expected))}
}
