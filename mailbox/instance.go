// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync/atomic"

	"go.opentelemetry.io/otel/trace"
)

// Factory begins an instance of a process: it makes a fresh state, or loads a
// saved one, and returns what handles messages with it. A process that was
// spawned with a Factory and has no instance calls it when the next message
// comes: the first one, the first after a failure ([Restart]), and the first
// after it was passivated. self is the process. The context carries the message's
// trace and the process's own end, not the end of a call; Factory may block.
//
// If it fails, so does the message that it was called for, and what becomes of
// the process is what would if the handler had failed. One that fails after it has
// opened something returns the Close for that beside its error.
type Factory[M any] func(ctx context.Context, self Ref[M]) (Instance[M], error)

// Instance is what handles a process's messages from one Factory call until it
// fails, is passivated, or ends with the process.
type Instance[M any] struct {
	// Handle handles one message after the other. There must be one.
	Handle Handler[M]
	// Save saves the state before the process is passivated, and before it ends because
	// it was stopped, or its system shut down; not before it is killed or after a
	// failure. Nil if there is no state to save. It may block; a kill ends its context.
	// It must not wait for the end of its own process, which waits for it: what it calls
	// gets its context.
	// If it fails before the process was to be passivated, the instance goes on, and
	// is saved another time; before the end there is no other time.
	Save func(ctx context.Context) error
	// Close gives back what the Factory has opened, when the instance is over,
	// whatever ended it. Nil if there is nothing. It may block, and the process does
	// not end before it returns; its context never ends.
	//
	// Failures of Save and Close, panics included, are counted ([Stats]) and told
	// ([SaveFailed], [CloseFailed]).
	Close func(ctx context.Context) error
}

// SpawnInstance starts a process whose state factory makes. It is like
// Spawn otherwise. factory is not called before the first message.
func (k *Kind[M]) SpawnInstance(id string, factory Factory[M]) (Ref[M], error) {
	if factory == nil {
		return Ref[M]{}, fmt.Errorf("%w: kind %q spawned without a Factory", ErrConfig, k.name)
	}
	return k.spawn(&process[M]{kind: k, id: id, factory: factory})
}

// makeInstance begins an instance for the message whose handler is to get ctx.
func (p *process[M]) makeInstance(ctx context.Context, s *slot[M]) error {
	own := s.header.Context(p)
	if span := trace.SpanFromContext(ctx); span.SpanContext().IsValid() {
		own = trace.ContextWithSpan(own, span)
	}
	next, err := p.factory(own, Ref[M]{p})
	p.instance = &next
	if err != nil {
		return err
	}
	if next.Handle == nil {
		return fmt.Errorf("%w: a Factory of kind %q returned no handler", ErrConfig, p.kind.name)
	}
	p.handler = next.Handle
	p.kind.list(p)
	return nil
}

// saveState saves the instance's state.
func (p *process[M]) saveState() error {
	err := attempt(p, p.instance.Save)
	if err == nil {
		return nil
	}
	atomic.AddUint64(&p.kind.totals.own.Now.SaveFailures, 1)
	p.happened(Event{Type: SaveFailed, Err: err})
	return err
}

// closeState ends the instance, if there is one.
func (p *process[M]) closeState() {
	if p.instance == nil {
		return
	}
	err := attempt(context.WithoutCancel(p), p.instance.Close)
	p.handler, p.instance = nil, nil
	if err == nil {
		return
	}
	atomic.AddUint64(&p.kind.totals.own.Now.CloseFailures, 1)
	p.happened(Event{Type: CloseFailed, Err: err})
}

// leaves reports whether there is something to do for the instance before the
// end of the process, which is the caller's.
func (p *process[M]) leaves(killed bool) bool {
	i := p.instance
	return i != nil && (i.Close != nil || i.Save != nil && !killed)
}

// leave does what is to be done for the instance before the end of the process,
// which is the caller's. The caller is a worker: it may take long.
func (p *process[M]) leave() {
	if p.instance == nil {
		return
	}
	p.state.Or(flagTaken) // Who kills it sees that it is in the user's code.
	if p.state.Load()&flagKilled == 0 {
		_ = p.saveState() // It is counted and told.
	}
	p.closeState()
	p.state.And(^flagTaken)
}

// attempt calls what is given with an instance; nil does nothing. It has a
// goroutine of its own, so that nothing it does ends the caller's.
func attempt(ctx context.Context, f func(context.Context) error) error {
	if f == nil {
		return nil
	}
	err := ErrGoexit
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if value := recover(); value != nil {
				err = &PanicError{Value: value, Stack: debug.Stack()}
			}
		}()
		err = f(ctx)
	}()
	<-done
	return err
}

// dropInstance ends an instance that has failed, and with it the timers that it
// set for itself.
func (p *process[M]) dropInstance() {
	p.closeState()
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
