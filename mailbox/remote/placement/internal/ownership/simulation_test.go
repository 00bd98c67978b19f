// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package ownership_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/waybill-go/waybill/mailbox/remote/placement/internal/ownership"
)

var errLost = errors.New("the answer was lost")

// store is a bucket in memory, which orders all changes as NATS's does.
type store struct {
	mu       sync.Mutex
	last     uint64
	entries  map[string]ownership.Entry
	created  map[string]uint64 // the first revision of each that was not there before
	watchers map[*watcher]struct{}
}

type watcher struct {
	prefix string
	queue  []sentEntry
	wake   chan struct{} // holds one
}

type sentEntry struct {
	ownership.Entry

	at time.Time
}

func newStore() *store {
	return &store{
		entries: make(map[string]ownership.Entry), created: make(map[string]uint64), watchers: make(map[*watcher]struct{}),
	}
}

// write changes a record if it has that revision. A deleted one counts as none, as for
// Create of a bucket of NATS's.
func (s *store) write(e ownership.Entry, revision uint64) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.entries[e.Key]
	if old.Deleted {
		old.Revision = 0
	}
	if old.Revision != revision {
		return 0, ownership.ErrConflict
	}
	s.last++
	e.Revision = s.last
	s.entries[e.Key] = e
	if old.Revision == 0 {
		s.created[e.Key] = e.Revision
	}
	for w := range s.watchers {
		w.add(e)
	}
	return e.Revision, nil
}

func (w *watcher) add(e ownership.Entry) {
	if e.Key != "" && !strings.HasPrefix(e.Key, w.prefix) {
		return
	}
	w.queue = append(w.queue, sentEntry{e, time.Now()})
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (s *store) get(key string) (ownership.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.entries[key]
	if !ok || e.Deleted {
		return ownership.Entry{}, ownership.ErrNotFound
	}
	return e, nil
}

func (s *store) watch(prefix string) *watcher {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &watcher{prefix: prefix, wake: make(chan struct{}, 1)}
	var all []ownership.Entry
	for _, e := range s.entries {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b ownership.Entry) int { return int(a.Revision) - int(b.Revision) })
	for _, e := range all {
		w.add(e)
	}
	w.add(ownership.Entry{})
	s.watchers[w] = struct{}{}
	return w
}

func (s *store) next(w *watcher) (sentEntry, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(w.queue) == 0 {
		return sentEntry{}, false
	}
	e := w.queue[0]
	w.queue = w.queue[1:]
	return e, true
}

// network is what lies between a node and the stores: it delays, and it loses requests and
// answers. It also stops the node, which notices nothing of that.
type network struct {
	mu     sync.Mutex
	random *rand.Rand
	delay  time.Duration // at most, each way
	loss   float64
	paused chan struct{} // nil unless the node is stopped
	cut    bool          // nothing gets through
}

func (n *network) pause() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.paused == nil {
		n.paused = make(chan struct{})
	}
}

func (n *network) resume() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.paused != nil {
		close(n.paused)
		n.paused = nil
	}
}

func (n *network) set(delay time.Duration, loss float64, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.delay, n.loss, n.cut = delay, loss, cut
}

// gate is passed by the node all the time, unless it is stopped.
func (n *network) gate() {
	for {
		n.mu.Lock()
		paused := n.paused
		n.mu.Unlock()
		if paused == nil {
			return
		}
		<-paused
	}
}

func (n *network) now() time.Time {
	n.gate()
	now := time.Now()
	n.gate() // It may be stopped before it looks at what it has read.
	return now
}

// way lets a message go one way that was sent at that time. It reports false if it is lost.
func (n *network) way(sent time.Time) bool {
	n.mu.Lock()
	d := time.Duration(n.random.Int64N(int64(n.delay)+1)) - time.Since(sent)
	lost := n.cut || n.random.Float64() < n.loss
	n.mu.Unlock()
	time.Sleep(d)
	return !lost
}

// ask sends a request and waits for the answer. What was sent arrives even if nobody waits
// for the answer any more.
func ask[R any](ctx context.Context, n *network, do func() (R, error)) (R, error) {
	n.gate()
	type answer struct {
		result R
		err    error
	}
	var none R
	answered := make(chan answer, 1)
	go func() {
		if !n.way(time.Now()) {
			return
		}
		var a answer
		a.result, a.err = do()
		if n.way(time.Now()) {
			answered <- a
		}
	}()
	select {
	case a := <-answered:
		n.gate()
		return a.result, a.err
	case <-ctx.Done():
		n.gate()
		return none, errors.Join(errLost, ctx.Err())
	}
}

// bucket is a store as a node sees it.
type bucket struct {
	store   *store
	network *network
}

func (b bucket) Get(ctx context.Context, key string) (ownership.Entry, error) {
	return ask(ctx, b.network, func() (ownership.Entry, error) { return b.store.get(key) })
}

func (b bucket) Create(ctx context.Context, key string, value []byte) (uint64, error) {
	return b.Update(ctx, key, value, 0)
}

func (b bucket) Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	return ask(ctx, b.network, func() (uint64, error) {
		return b.store.write(ownership.Entry{Key: key, Value: value}, revision)
	})
}

func (b bucket) Delete(ctx context.Context, key string, revision uint64) error {
	_, err := ask(ctx, b.network, func() (uint64, error) {
		return b.store.write(ownership.Entry{Key: key, Deleted: true}, revision)
	})
	return err
}

func (b bucket) Watch(ctx context.Context, keys string, yield func(ownership.Entry) bool) error {
	asking, cancel := context.WithTimeout(ctx, modelLease)
	defer cancel()
	w, err := ask(asking, b.network, func() (*watcher, error) { return b.store.watch(strings.TrimSuffix(keys, "*")), nil })
	if err != nil {
		return err
	}
	defer func() {
		b.store.mu.Lock()
		defer b.store.mu.Unlock()
		delete(b.store.watchers, w)
	}()
	for ctx.Err() == nil {
		e, ok := b.store.next(w)
		if !ok {
			select {
			case <-w.wake:
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if !b.network.way(e.at) {
			return errLost // The subscription has a gap, and begins again.
		}
		b.network.gate()
		if !yield(e.Entry) {
			return nil
		}
	}
	return ctx.Err()
}

var _ ownership.Bucket = bucket{}
