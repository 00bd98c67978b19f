// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/sampling/fanout"
)

// Bounds of the broker's memory.
const (
	maxSubscribers = 1000
	maxWaiting     = 16 // news for one subscriber
)

// Why the broker has no more news for a subscriber.
var (
	errSlow   = errors.New("you cannot keep up, and some news is missing")
	errClosed = errors.New("the broker is closed")
	errFull   = errors.New("there are too many subscribers")
)

// news is what is published.
type news struct {
	ID   int64  `json:"id"`
	Text string `json:"text"`
}

// queue has the news that waits for one subscriber. The broker closes it.
type queue = chan envelope.Envelope[news]

// broker passes news on to all subscribers.
type broker struct {
	fanout *fanout.Fanout

	mu     sync.Mutex
	last   int64 // number of the last news
	queues []queue
	closed bool
}

// subscribe returns a queue that gets all news from now on.
func (b *broker) subscribe() (queue, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return nil, errClosed
	case len(b.queues) == maxSubscribers:
		return nil, errFull
	}
	q := make(queue, maxWaiting)
	b.queues = append(b.queues, q)
	return q, nil
}

// publish sends news to all subscribers, and does not wait for any of them. A subscriber that
// has no room loses its queue.
func (b *broker) publish(ctx context.Context, text string) (news, fanout.Delivery) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last++
	n := news{b.last, text}
	delivery, lost := fanout.Send(ctx, b.fanout, b.queues, n, fanout.Refuse)
	for _, i := range slices.Backward(lost) {
		b.drop(i)
	}
	return n, delivery
}

// unsubscribe closes the queue, if it is open.
func (b *broker) unsubscribe(q queue) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.queues, q); i >= 0 {
		b.drop(i)
	}
}

// drop closes a queue. Those behind it keep their order.
func (b *broker) drop(i int) {
	close(b.queues[i])
	b.queues = slices.Delete(b.queues, i, i+1)
}

// close closes all queues.
func (b *broker) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for len(b.queues) > 0 {
		b.drop(len(b.queues) - 1)
	}
}

// why says why a queue has been closed.
func (b *broker) why() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return errClosed
	}
	return errSlow
}
