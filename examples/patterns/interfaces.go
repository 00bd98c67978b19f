// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package patterns

import (
	"context"
	"errors"

	"github.com/waybill-go/waybill/envelope"
)

// Event is an interface with methods, which an envelope does not have.
type Event interface {
	// Name returns what happened.
	Name() string
}

// channels: interface

// traced is an event with its header.
type traced struct {
	Event

	header *envelope.Header
}

func wrap(ctx context.Context, event Event) Event {
	header := envelope.NewHeader(ctx)
	if header == nil {
		return event // Nothing travels.
	}
	return traced{event, header}
}

func open(event Event) envelope.Envelope[Event] {
	if t, ok := event.(traced); ok {
		return envelope.New(t.Event, t.header)
	}
	return envelope.Bare(event)
}

// channels: end

// Publish sends an event on a channel that carries events of many types.
func Publish(ctx context.Context, events chan<- Event, event Event) {
	// channels: interface-send
	events <- wrap(ctx, event)
	// channels: end
}

// Consume handles all events.
func Consume(ctx context.Context, events <-chan Event, handleEvent func(context.Context, Event) error) error {
	var failed error
	// channels: interface-receive
	handle := envelope.Handler(ctx, "handle event", handleEvent)
	for event := range events {
		failed = errors.Join(failed, handle(open(event)))
	}
	// channels: end
	return failed
}
