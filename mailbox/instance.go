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

// Factory makes an instance of a process. It makes a fresh state or loads a saved one, and
// returns what handles messages with it.
//
// A process that was spawned with a Factory calls it when a message comes and there is no
// instance: for the first message, for the first one after a failure ([Restart]), and for
// the first one after the process was passivated. self is the process. The context carries
// the message's trace and ends with the process; it does not end with a call. Factory may
// block.
//
// If Factory fails, the message fails too, and the process does what it would do if its
// handler had failed. A Factory that fails after it has opened something returns the Close
// for that beside its error.
type Factory[M any] func(ctx context.Context, self Ref[M]) (Instance[M], error)

// Instance handles a process's messages. It lasts until it fails, is passivated, or ends
// with the process. A [Factory] makes it.
type Instance[M any] struct {
	// Handle handles one message after the other. It must not be nil.
	Handle Handler[M]
	// Save saves the state. It is called before the process is passivated, and before it
	// ends because it was stopped or its system was shut down. It is not called before a
	// kill or after a failure. Nil means that there is no state to save.
	//
	// Save may block; a kill ends its context. It must not wait for the end of its own
	// process, because the process waits for Save.
	//
	// If Save fails before a passivation, the instance goes on and is saved another time.
	// If it fails before the end of the process, the state is lost.
	Save func(ctx context.Context) error
	// Close gives back what the Factory has opened. It is called when the instance is over,
	// whatever ended it. Nil means that there is nothing to give back. Close may block, and
	// the process does not end before it returns. Its context never ends.
	//
	// Failures of Save and Close, panics included, are counted ([Stats]) and reported
	// ([SaveFailed], [CloseFailed]).
	Close func(ctx context.Context) error
}

// SpawnInstance starts a process whose state factory makes. Otherwise it is like
// [Kind.Spawn]. factory is not called before the first message comes.
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
