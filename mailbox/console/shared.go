// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"context"
	"sync"
	"time"

	"github.com/waybill-go/waybill/internal/guard"
)

const (
	// An answer serves all who ask within a second of it. If it takes long to make, it
	// serves for longer, so that making answers keeps a processor busy for a tenth of the
	// time at most.
	sharedFor   = time.Second
	sharedTimes = 10
)

// shared makes one answer for all who ask at about the same time. One is made at a time,
// and all who ask meanwhile get it. An answer must not be changed.
type shared[T any] struct {
	mu     sync.Mutex
	making chan struct{} // closed when the answer is made; nil if none is being made
	last   *T
	until  time.Time // the last answer serves until then
}

// current returns an answer that still serves. If there is none, it has produce make one, or
// waits for the one that is being made. It returns nil if ctx ends while it waits, or if
// produce panics. What produce calls may hang for ever, so it is called by a goroutine of its
// own, which a client that goes away does not end, because others may wait for it.
func (s *shared[T]) current(ctx context.Context, produce func(ctx context.Context) *T) *T {
	s.mu.Lock()
	if s.last != nil && time.Now().Before(s.until) {
		defer s.mu.Unlock()
		return s.last
	}
	making := s.making
	if making == nil {
		making = make(chan struct{})
		s.making = making
		go s.renew(context.WithoutCancel(ctx), making, produce)
	}
	s.mu.Unlock()
	select {
	case <-making:
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.last
	case <-ctx.Done():
		return nil
	}
}

// renew makes an answer.
func (s *shared[T]) renew(ctx context.Context, making chan struct{}, produce func(ctx context.Context) *T) {
	begin := time.Now()
	var made *T
	defer func() { // Even if produce panics, those who wait go on.
		end := time.Now()
		s.mu.Lock()
		defer s.mu.Unlock()
		if made != nil {
			s.last, s.until = made, end.Add(max(sharedFor, sharedTimes*end.Sub(begin)))
		}
		s.making = nil
		close(making)
	}()
	guard.Do(func() { made = produce(ctx) })
}
