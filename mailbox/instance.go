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
	var own []runningTimer
	for t := range c.timers {
		if t.byInstance() {
			own = append(own, t)
		}
	}
	c.mu.Unlock()
	for _, t := range own {
		t.stop()
	}
}
