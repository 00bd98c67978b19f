// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package contexts

import (
	"container/list"
	"context"
	"sync"
	"sync/atomic"
)

// Cancellation is half of a context that costs nothing until somebody waits for its
// end: an owner has one, and gives itself to each method. The zero value is ready. Any
// number of goroutines may use it.
type Cancellation struct{ waiters atomic.Pointer[waiters] }

// waiters are those who wait for the end of a context. They are made when somebody
// first asks for Done, or derives a context, and stay until the owner is garbage.
//
// Contexts derived from the owner's own register themselves with AfterFunc. Those
// derived from one with values on top cannot see that method, and have the standard
// library start a goroutine, which waits for the channel.
type waiters struct {
	mu        sync.Mutex
	done      chan struct{} // nil until somebody asks for it
	functions list.List     // of func()
	told      bool          // of the end
}

var closedChannel = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// Done is the Done of the owner's context.
func (c *Cancellation) Done(owner Owner) <-chan struct{} {
	if c.Err(owner) != nil {
		return closedChannel
	}
	w := c.get()
	w.mu.Lock()
	if w.done == nil {
		w.done = make(chan struct{})
		if w.told {
			close(w.done)
		}
	}
	done := w.done
	w.mu.Unlock()
	c.Tell(owner)
	return done
}

// Err is the Err of the owner's context. It says nothing that Done does not say too.
func (c *Cancellation) Err(owner Owner) error {
	if !owner.Ended() {
		return nil
	}
	c.Tell(owner)
	return context.Canceled
}

// AfterFunc is the AfterFunc of the owner's context, for which the standard library
// looks: it has f called in a goroutine of its own at the end of the context. stop
// reports whether it has kept f from being called.
func (c *Cancellation) AfterFunc(owner Owner, f func()) (stop func() bool) {
	w := c.get()
	w.mu.Lock()
	if w.told {
		w.mu.Unlock()
		go f()
		return func() bool { return false }
	}
	waiting := w.functions.PushBack(f)
	w.mu.Unlock()
	c.Tell(owner)
	return func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.told || waiting == nil {
			return false
		}
		w.functions.Remove(waiting)
		waiting = nil
		return true
	}
}

// Tell tells those who wait that the owner has ended, if it has. The owner calls it
// after each step that may have ended it. The methods above call it as well: who ended
// the owner may not have got to that yet, or came before there was anybody to tell.
func (c *Cancellation) Tell(owner Owner) {
	if !owner.Ended() {
		return
	}
	if w := c.waiters.Load(); w != nil {
		w.tell()
	}
}

func (c *Cancellation) get() *waiters {
	if w := c.waiters.Load(); w != nil {
		return w
	}
	c.waiters.CompareAndSwap(nil, new(waiters))
	return c.waiters.Load()
}

func (w *waiters) tell() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.told {
		return
	}
	w.told = true
	if w.done != nil {
		close(w.done)
	}
	for f := w.functions.Front(); f != nil; f = f.Next() {
		go f.Value.(func())() //nolint:forcetypeassert // The list holds nothing else.
	}
	w.functions.Init()
}
