// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"context"
	"sync"
	"sync/atomic"
)

// watchers are told of every change.
type watchers struct {
	n   atomic.Int64
	mu  sync.RWMutex
	all map[chan struct{}]struct{}
}

// Watch returns a channel that gets a value when spans were added since the store was read last,
// by Find for instance, or since Watch returned. It is closed when ctx has ended. There is one
// value for any number of changes, so whoever is slow to take it holds up nobody.
func (s *Store) Watch(ctx context.Context) <-chan struct{} {
	w := &s.watchers
	c := make(chan struct{}, 1)
	w.mu.Lock()
	if w.all == nil {
		w.all = make(map[chan struct{}]struct{})
	}
	w.all[c] = struct{}{}
	w.n.Add(1)
	w.mu.Unlock()
	context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.all, c)
		w.n.Add(-1)
		close(c)
	})
	s.lock() // So that no span is pending, and the next one tells the watchers.
	defer s.mu.Unlock()
	return c
}

// tell tells all watchers that something has changed.
func (w *watchers) tell() {
	if w.n.Load() == 0 {
		return
	}
	w.mu.RLock()
	defer w.mu.RUnlock()
	for c := range w.all {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
