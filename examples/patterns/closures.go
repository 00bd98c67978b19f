// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package patterns

import (
	"context"
	"errors"
	"sync"

	"github.com/waybill-go/waybill/envelope"
)

// Pool is a pool of workers that knows nothing of orders, as many libraries have one. Its
// jobs are closures.
type Pool struct {
	jobs    chan func()
	workers sync.WaitGroup
}

// NewPool starts a pool.
func NewPool(workers, capacity int) *Pool {
	p := &Pool{jobs: make(chan func(), capacity)}
	for range workers {
		p.workers.Go(func() {
			for job := range p.jobs {
				job()
			}
		})
	}
	return p
}

// Submit gives the pool a job, and waits if it has no room.
func (p *Pool) Submit(job func()) { p.jobs <- job }

// Close waits until all jobs are done.
func (p *Pool) Close() {
	close(p.jobs)
	p.workers.Wait()
}

// Shipper ships orders on a pool.
type Shipper struct {
	pool *Pool
	ship func(envelope.Envelope[Order]) error

	mu     sync.Mutex
	failed error
}

// NewShipper returns a shipper whose jobs have contexts that are derived from ctx.
func NewShipper(ctx context.Context, pool *Pool, shipOrder func(context.Context, Order) error) *Shipper {
	s := &Shipper{pool: pool}
	// channels: closure-handler
	s.ship = envelope.Handler(ctx, "ship order", shipOrder) // Once, with the context of the pool.
	// channels: end
	return s
}

// Ship has the pool ship an order in the trace of ctx.
func (s *Shipper) Ship(ctx context.Context, order Order) {
	// channels: closure
	e := envelope.Wrap(ctx, order) // Before the closure, so that the wait begins here.
	s.pool.Submit(func() { s.note(s.ship(e)) })
	// channels: end
}

func (s *Shipper) note(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = errors.Join(s.failed, err)
}

// Err returns what has failed until now.
func (s *Shipper) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}
