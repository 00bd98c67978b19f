// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"container/list"
	"context"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"
	"weak"
)

// audience is who may be waiting for the end of a process's context. Most
// handlers hand theirs to something that asks for Done and forgets it, so what a
// million processes made for that must be given back. But a goroutine that a
// handler left behind may hold nothing but the channel. So the process refers to
// that weakly: it closes it if it is still there, and dismisses the audience once
// it is not and no function waits either.
//
// Contexts derived from the process's own register themselves with AfterFunc.
// Those derived from one with values on top cannot see that method, and have the
// standard library start a goroutine, which holds the channel.
type audience struct {
	home  *atomic.Pointer[audience] // of the process
	mu    sync.Mutex
	done  weakChannel
	after list.List // of func()
	gone  bool      // Dismissed, or told.
}

var ended = func() chan struct{} {
	ch := make(chan struct{})
	close(ch)
	return ch
}()

// Done implements context.Context.
func (p *process[M]) Done() <-chan struct{} {
	if p.Err() != nil {
		return ended
	}
	a := p.lockAudience()
	done := a.done.value()
	if done == nil {
		done = make(chan struct{})
		a.done = weaken(done)
		// The runtime keeps what a cleanup gets. That must not be the process: its
		// handler may have kept the channel, and then neither would ever go.
		runtime.AddCleanup(a.done.pointer.Value(), dismiss, weak.Make(a))
	}
	a.mu.Unlock()
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
	a := p.lockAudience()
	waiting := a.after.PushBack(f)
	a.mu.Unlock()
	p.catchUp()
	return func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.gone || waiting == nil {
			return false
		}
		a.after.Remove(waiting)
		waiting = nil
		a.dismissLocked()
		return true
	}
}

// lockAudience returns the process's audience, locked.
func (p *process[M]) lockAudience() *audience {
	for {
		a := p.audience.Load()
		if a == nil {
			a = &audience{home: &p.audience}
			if !p.audience.CompareAndSwap(nil, a) {
				continue
			}
		}
		a.mu.Lock()
		if !a.gone {
			return a
		}
		a.mu.Unlock()
	}
}

// dismiss has the process let go of its audience if there is nobody in it. A
// channel was collected.
func dismiss(w weak.Pointer[audience]) {
	if a := w.Value(); a != nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.dismissLocked()
	}
}

func (a *audience) dismissLocked() {
	if !a.gone && a.after.Len() == 0 && a.done.value() == nil {
		a.gone = true
		a.home.Store(nil)
	}
}

// catchUp ends the context if the flag that says so is set: whoever set it may
// not have got to that yet, or came before there was anybody to tell.
func (p *process[M]) catchUp() {
	if p.state.Load()&(flagKilled|flagEnded) == 0 {
		return
	}
	a := p.audience.Load()
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.gone { // Who makes the next one sees the flag.
		return
	}
	a.gone = true
	if done := a.done.value(); done != nil {
		close(done)
	}
	for f := a.after.Front(); f != nil; f = f.Next() {
		go f.Value.(func())() //nolint:forcetypeassert // The list holds nothing else.
	}
	p.audience.Store(nil) // At last: whoever finds none takes it that all know.
}

// weakChannel refers to a channel without keeping it. Package weak knows
// pointers only, and a channel is one: package reflect says which.
type weakChannel struct{ pointer weak.Pointer[byte] }

func weaken(ch chan struct{}) weakChannel {
	return weakChannel{weak.Make((*byte)(reflect.ValueOf(ch).UnsafePointer()))}
}

// value returns the channel, nil if it is gone or there was none.
func (w weakChannel) value() chan struct{} {
	p := w.pointer.Value()
	return *(*chan struct{})(unsafe.Pointer(&p)) //nolint:gosec // As just said; a test collects many.
}
