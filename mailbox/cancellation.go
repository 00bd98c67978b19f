// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"container/list"
	"context"
	"sync"
)

// cancellation is who waits for the end of a process's context. It is made when a
// handler first asks for Done, or derives a context, and stays until the process ends.
//
// Contexts derived from the process's own register themselves with AfterFunc.
// Those derived from one with values on top cannot see that method, and have the
// standard library start a goroutine, which waits for the channel.
type cancellation struct {
	mu    sync.Mutex
	done  chan struct{} // nil until somebody asks for it
	after list.List     // of func()
	over  bool
}

var closedChannel = func() chan struct{} {
	ch := make(chan struct{})
	close(ch)
	return ch
}()

// Done implements context.Context.
func (p *process[M]) Done() <-chan struct{} {
	if p.Err() != nil {
		return closedChannel
	}
	c := p.cancellationOf()
	c.mu.Lock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.over {
			close(c.done)
		}
	}
	done := c.done
	c.mu.Unlock()
	p.catchUp()
	return done
}

// Err implements context.Context. It says nothing that Done does not say too.
func (p *process[M]) Err() error {
	if p.state.Load()&(flagKilled|flagEnded) == 0 {
		return nil
	}
	p.catchUp()
	return context.Canceled
}

// AfterFunc has f called in a goroutine of its own at the end of the context.
// The standard library looks for this method. stop reports whether it has kept
// f from being called.
func (p *process[M]) AfterFunc(f func()) (stop func() bool) {
	c := p.cancellationOf()
	c.mu.Lock()
	if c.over {
		c.mu.Unlock()
		go f()
		return func() bool { return false }
	}
	waiting := c.after.PushBack(f)
	c.mu.Unlock()
	p.catchUp()
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.over || waiting == nil {
			return false
		}
		c.after.Remove(waiting)
		waiting = nil
		return true
	}
}

// cancellationOf returns the process's cancellation, making it if need be.
func (p *process[M]) cancellationOf() *cancellation {
	if c := p.cancellation.Load(); c != nil {
		return c
	}
	p.cancellation.CompareAndSwap(nil, new(cancellation))
	return p.cancellation.Load()
}

// catchUp ends the context if the flag that says so is set: whoever set it may
// not have got to that yet, or came before there was anybody to tell.
func (p *process[M]) catchUp() {
	if p.state.Load()&(flagKilled|flagEnded) == 0 {
		return
	}
	c := p.cancellation.Load()
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return
	}
	c.over = true
	if c.done != nil {
		close(c.done)
	}
	for f := c.after.Front(); f != nil; f = f.Next() {
		go f.Value.(func())() //nolint:forcetypeassert // The list holds nothing else.
	}
	c.after.Init()
}
