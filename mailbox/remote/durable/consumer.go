// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package durable

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/internal/spans"
)

const (
	// closeGrace is how long Close goes on after the end of its context, to hand back what is
	// left.
	closeGrace = time.Second
	// requestTimeout is how long one request to the server may take.
	requestTimeout = 5 * time.Second
)

// Consumer takes messages from the stream and sends them to a process. [Queue.Consume] makes
// it. Any number of goroutines may use it.
type Consumer[M any] struct {
	queue *Queue[M]
	to    mailbox.Ref[Item[M]]
	conn  *nats.Conn
	past  jetstream.KeyValue
	spans *spans.Kind // of dead letters
	intake

	ready chan *delivery[M] // on their way to the mailbox

	mu   sync.Mutex
	held map[uint64]*delivery[M] // by their sequence in the stream
	err  error                   // why it stopped

	room    chan struct{} // holds one when held has become smaller
	emptied chan struct{} // likewise

	ctx      context.Context //nolint:containedctx // The life of the Consumer: ends when nothing is left to do.
	cancel   context.CancelFunc
	sending  context.Context //nolint:containedctx // Likewise: ends when it stops.
	stop     context.CancelFunc
	abandon  chan struct{} // closed when Close waits no longer
	giveUp   func()
	pulled   chan struct{} // closed when nothing more comes in
	finished chan struct{} // closed at the end
}

// Consume has the process that to refers to handle the messages of the queue: its handler must
// come from [Handler]. It makes the durable consumer and the key-value store if they do not
// exist, and updates the consumer to what the [Config] says. Several processes here and on
// other machines may consume the messages of one queue; each message goes to one of them.
//
// Consume blocks until the server has answered, or until ctx ends; ctx does not limit what
// follows. The error wraps [ErrConfig], one of NATS, or that of ctx. The Consumer goes on until
// [Consumer.Close], or until the process ends.
func (q *Queue[M]) Consume(ctx context.Context, to mailbox.Ref[Item[M]]) (*Consumer[M], error) {
	ctx = header.OrBackground(ctx)
	if err := q.config.checkConsuming(); err != nil {
		return nil, err
	}
	if err := q.streamFor(ctx, q.config.DeadLetter); err != nil {
		return nil, fmt.Errorf("durable: dead letters: %w", err)
	}
	past, err := q.openPast(ctx)
	if err != nil {
		return nil, fmt.Errorf("durable: the key-value store %q: %w", q.config.Bucket, err)
	}
	if _, err = q.js.CreateOrUpdateConsumer(ctx, q.config.Stream, q.consumerConfig()); err != nil {
		return nil, fmt.Errorf("durable: the consumer %q of the stream %q: %w", q.config.Consumer, q.config.Stream, err)
	}
	c := &Consumer[M]{
		queue: q, to: to, conn: q.js.Conn(), past: past, spans: q.tracer.Kind(to.Kind(), spans.NewTotals()),
		ready: make(chan *delivery[M], q.config.MaxHeld), held: make(map[uint64]*delivery[M]),
		room: make(chan struct{}, 1), emptied: make(chan struct{}, 1),
		abandon: make(chan struct{}), pulled: make(chan struct{}), finished: make(chan struct{}),
	}
	if c.intake, err = openIntake(q.js, q.config.Stream, q.config.Consumer, q.config.MaxHeld); err != nil {
		return nil, fmt.Errorf("durable: %w", err)
	}
	c.ctx, c.cancel = context.WithCancel(context.Background()) //nolint:gosec // run calls it.
	c.sending, c.stop = context.WithCancel(c.ctx)              //nolint:gosec // Likewise.
	c.giveUp = sync.OnceFunc(func() { close(c.abandon) })
	go c.run()
	return c, nil
}

// consumerConfig is the configuration of the durable consumer. The server does not limit the
// number of deliveries: it would forget the message then, and nobody would write a dead letter.
func (q *Queue[M]) consumerConfig() jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable: q.config.Consumer, FilterSubject: q.config.Subject,
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: q.config.AckWait,
		MaxDeliver: -1, MaxAckPending: q.config.MaxAckPending,
	}
}

// Done returns a channel that is closed when the Consumer has ended: after [Consumer.Close],
// after the end of its process, or because the server no longer has the stream or the consumer,
// or the connection was closed.
func (c *Consumer[M]) Done() <-chan struct{} { return c.finished }

// Err returns why the Consumer stopped, nil while it goes on and after [Consumer.Close]. After
// the end of its process it wraps [mailbox.ErrStopped].
func (c *Consumer[M]) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close takes no more messages, and waits until those that were taken are handled. What had no
// room in the mailbox yet is handed back to the server at once, to be delivered again, to
// another program perhaps. If ctx ends first, all that is left is handed back, and Close
// returns an error that wraps [ErrClosed] and that of ctx, at most a second later. A message
// that was being handled then is delivered again too, though its handler may yet come to its
// end. Where the connection takes nothing, because its link hangs, the rest happens later.
//
// The process goes on. A handler must not close the Consumer that sends to it, unless with a
// context that ends.
func (c *Consumer[M]) Close(ctx context.Context) error {
	ctx = header.OrBackground(ctx)
	c.end(nil)
	select {
	case <-c.finished:
		return nil
	case <-ctx.Done():
	}
	select {
	case <-c.finished:
		return nil
	default:
	}
	c.mu.Lock()
	left := len(c.held)
	c.mu.Unlock()
	c.giveUp()
	select {
	case <-c.finished:
	case <-time.After(closeGrace): // The client of NATS holds what it writes to a link that hangs.
	}
	return fmt.Errorf("%w: %d messages were left: %w", ErrClosed, left, ctx.Err())
}

// end stops the Consumer because of err, nil if it was closed. The first reason stays.
func (c *Consumer[M]) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sending.Err() == nil {
		c.err = err
		c.stop()
	}
}

// run is the life of the Consumer.
func (c *Consumer[M]) run() {
	defer close(c.finished)
	var pulling, serving sync.WaitGroup
	pulling.Go(func() { untilReturn(c.pull) })
	serving.Go(func() { untilReturn(c.send) })
	serving.Go(c.keepAlive)
	select {
	case <-c.to.Done():
		c.end(mailbox.ErrStopped)
	case <-c.sending.Done():
	}
	pulling.Wait()
	c.unsubscribe() // Before anything is handed back, which would come in again.
	close(c.pulled)
	c.awaitEmpty()
	_ = c.conn.FlushTimeout(c.grace()) // What is not told is delivered again.
	c.cancel()
	serving.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	if errors.Is(c.err, mailbox.ErrStopped) { // By now it is known why.
		c.err = errors.Join(mailbox.ErrStopped, c.to.Err())
	}
}

// grace is how long the end may take.
func (c *Consumer[M]) grace() time.Duration {
	select {
	case <-c.abandon:
		return closeGrace / 2
	default:
		return requestTimeout
	}
}

// awaitEmpty waits until nothing is held. When Close waits no longer, it hands back what there
// is, and gives that a moment.
func (c *Consumer[M]) awaitEmpty() {
	abandon := c.abandon
	var late <-chan time.Time
	for {
		c.mu.Lock()
		empty := len(c.held) == 0
		c.mu.Unlock()
		if empty {
			return
		}
		select {
		case <-c.emptied:
		case <-abandon:
			abandon = nil
			late = time.After(closeGrace / 2)
			c.returnAll()
		case <-late:
			c.forgetAll()
			return
		}
	}
}

// returnAll hands back everything that nobody settles yet.
func (c *Consumer[M]) returnAll() {
	c.mu.Lock()
	all := make([]*delivery[M], 0, len(c.held))
	for _, d := range c.held {
		all = append(all, d)
	}
	c.mu.Unlock()
	for _, d := range all {
		if was, mine := c.settle(d); mine {
			go c.giveBack(d, was, 0)
		}
	}
}

// forgetAll releases what could not be told to the server, which delivers it again.
func (c *Consumer[M]) forgetAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.held {
		c.releaseLocked(d)
		atomic.AddUint64(&c.queue.tally.Now.Returned, 1)
		atomic.AddUint64(&c.queue.tally.Now.AckErrors, 1)
	}
}

// hold takes in a delivery. It reports false if its message is held already: then the delivery
// is the one to acknowledge.
func (c *Consumer[M]) hold(d *delivery[M]) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if other := c.held[d.sequence]; other != nil && other.phase != again {
		other.msg, other.extended = d.msg, d.extended
		other.repeated++
		return false
	}
	c.held[d.sequence] = d
	atomic.AddUint64(&c.queue.tally.Now.Held, 1)
	return true
}

// settle claims d for telling what became of it, and returns how far it was. mine is false if
// somebody else has claimed it.
func (c *Consumer[M]) settle(d *delivery[M]) (was phase, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if was = d.phase; was >= settling {
		return was, false
	}
	d.phase = settling
	return was, true
}

// release is done with d, which one goroutine has claimed, and counts what became of it.
func (c *Consumer[M]) release(d *delivery[M], count *uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d.phase != released { // It was given up at the end.
		c.releaseLocked(d)
		atomic.AddUint64(count, 1)
	}
}

func (c *Consumer[M]) releaseLocked(d *delivery[M]) {
	d.phase = released
	if c.held[d.sequence] == d { // Else it has come again already.
		delete(c.held, d.sequence)
	}
	atomic.AddUint64(&c.queue.tally.Now.Held, ^uint64(0))
	for _, signal := range []chan struct{}{c.room, c.emptied} {
		select {
		case signal <- struct{}{}:
		default:
		}
	}
}
