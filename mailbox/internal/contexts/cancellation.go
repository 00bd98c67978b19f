// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package contexts

import (
	"container/list"
	"context"
	"sync"
	"sync/atomic"
)

// Cancellation has the Done, Err and AfterFunc of an owner's context. It costs nothing
// until somebody waits for the end. An owner has one, and passes itself to each method.
// The zero value is ready. Any number of goroutines may use it.
type Cancellation struct{ waiters atomic.Pointer[waiters] }

// waiters holds the channel and the functions that wait for the end of a context. It is
// made when somebody first asks for Done or derives a context, and stays until the
// owner is garbage.
//
// A context that is derived from the owner itself registers a function with AfterFunc.
// If values were put on top first, the standard library does not see that method, and
// starts a goroutine that waits for the channel.
type waiters struct {
	mu        sync.Mutex
	done      chan struct{} // nil until somebody asks for it
	functions list.List     // of func()
	told      bool          // the waiters have been told of the end
}

var closedChannel = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// Done implements Done for the owner's context.
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

// Err implements Err for the owner's context. When it returns an error, Done is closed
// already.
func (c *Cancellation) Err(owner Owner) error {
	if !owner.Ended() {
		return nil
	}
	c.Tell(owner)
	return context.Canceled
}

// AfterFunc implements AfterFunc for the owner's context; the standard library looks
// for that method. At the end of the context, f is called in a goroutine of its own.
// stop reports whether it has prevented the call of f.
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

// Tell tells the waiters that the owner has ended, if it has. The owner calls Tell
// after each step that may have ended it. The methods above call it too, because
// whoever ended the owner may not have called Tell yet, or called it before there were
// waiters.
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
