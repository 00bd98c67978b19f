// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/trace"
)

// Start begins an incarnation of a process: it makes a fresh state, or loads a
// saved one, and returns what handles messages with it. A process that was
// spawned with a Start and has no incarnation calls it when the next message
// comes: the first one, the first after a failure ([Restart]), and the first
// after it was put away. self is the process. The context carries the message's
// trace and the process's own end, not the end of a call; Start may block.
//
// If it fails, so does the message that it was called for, and what becomes of
// the process is what would if the handler had failed.
type Start[M any] func(ctx context.Context, self Ref[M]) (Incarnation[M], error)

// Incarnation is what handles a process's messages from one Start until it
// fails, is put away, or ends with the process.
type Incarnation[M any] struct {
	// Handle handles one message after the other. There must be one.
	Handle Handler[M]
	// Save saves the state before the process is put away; nil if there is none
	// to save. It may block. If it fails, the incarnation goes on, and is saved
	// another time; [Stats] counts it, and there is an event ([SaveFailed]).
	Save func(ctx context.Context) error
}

// SpawnFrom starts a process whose state start makes, now and again. It is like
// Spawn otherwise. start is not called before the first message.
func (k *Kind[M]) SpawnFrom(id string, start Start[M]) (Ref[M], error) {
	if start == nil {
		return Ref[M]{}, fmt.Errorf("%w: kind %q spawned without a Start", ErrConfig, k.name)
	}
	return k.spawn(&process[M]{kind: k, id: id, start: start})
}

// incarnate begins an incarnation for the message whose handler is to get ctx.
func (p *process[M]) incarnate(ctx context.Context, s *slot[M]) error {
	own := s.header.Context(p)
	if span := trace.SpanFromContext(ctx); span.SpanContext().IsValid() {
		own = trace.ContextWithSpan(own, span)
	}
	next, err := p.start(own, Ref[M]{p})
	if err != nil {
		return err
	}
	if next.Handle == nil {
		return fmt.Errorf("%w: a Start of kind %q returned no handler", ErrConfig, p.kind.name)
	}
	p.handler, p.save = next.Handle, next.Save
	p.kind.list(p)
	return nil
}

// disincarnate ends the incarnation, and with it the timers that it set for itself.
func (p *process[M]) disincarnate() {
	p.handler, p.save = nil, nil
	c := p.lock()
	var own []*timer[M]
	for t := range c.timers {
		if t.own {
			own = append(own, t)
		}
	}
	c.mu.Unlock()
	for _, t := range own {
		t.stop()
	}
}
