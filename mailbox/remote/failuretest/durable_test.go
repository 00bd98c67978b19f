// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package failuretest_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote/durable"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

// newQueue makes the queue of the tests. What a program holds when it is killed is delivered
// again soon, and often enough.
func newQueue(conn *nats.Conn) (*durable.Queue[order], error) {
	js, err := jetstream.New(conn)
	if err != nil {
		return nil, err
	}
	return durable.New(js, durable.Config[order]{
		Stream: "ORDERS", Subject: "orders", Consumer: "workers", DeadLetter: "dead.orders",
		AckWait: 500 * time.Millisecond, Backoff: []time.Duration{20 * time.Millisecond},
		MaxHeld: 32, MaxDeliver: 100,
	})
}

const (
	// workTime is how long a worker takes for an order.
	workTime = 2 * time.Millisecond
	// publishInterval is the time between two orders.
	publishInterval = 5 * time.Millisecond
)

// runWorker handles orders, and says so.
func runWorker(ctx context.Context, p *inside) (err error) {
	n, err := newNode(p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.close()) }()
	queue, err := newQueue(n.Conn())
	if err != nil {
		return err
	}
	worker, err := mailbox.Spawn(n.sys, "worker", durable.Handler(
		func(_ context.Context, d durable.Delivery[order]) error {
			defer time.Sleep(workTime) // It may be killed after it has said so, and before that is known.
			r := report{What: "handled", Seq: d.Message.Seq, N: int64(d.Attempt)}
			if d.Redelivered {
				r.Text = "again"
			}
			p.say(r)
			return nil
		}))
	if err != nil {
		return err
	}
	consumer, err := queue.Consume(ctx, worker)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), grace)
		defer cancel()
		err = errors.Join(err, consumer.Close(ctx))
	}()
	return p.serve(nil)
}

// deliveries are the handlings of each order, by all workers.
type deliveries struct {
	mu       sync.Mutex
	handled  map[int64]int
	unmarked int // Handlings after the first that did not say so.
}

func (d *deliveries) hear(r report) bool {
	if r.What != "handled" {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.handled[r.Seq] > 0 && r.Text == "" {
		d.unmarked++
	}
	d.handled[r.Seq]++
	return true
}

// count returns how many orders were handled, and how many handlings were repetitions.
func (d *deliveries) count() (handled, repeated, unmarked int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, n := range d.handled {
		repeated += n - 1
	}
	return len(d.handled), repeated, d.unmarked
}

// publishing publishes orders, one after the other, until it is stopped.
type publishing struct {
	stored int64 // Orders that the stream has acknowledged: those from 1 to this.
	stop   func()
}

func publish(t *testing.T, conn *nats.Conn) *publishing {
	t.Helper()
	queue, err := newQueue(conn)
	require.NoError(t, err)
	p := &publishing{}
	enough := make(chan struct{})
	var work sync.WaitGroup
	p.stop = sync.OnceFunc(func() {
		close(enough)
		work.Wait()
	})
	t.Cleanup(p.stop)
	work.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 4*patience)
		defer cancel()
		ticker := time.NewTicker(publishInterval)
		defer ticker.Stop()
		for {
			select {
			case <-enough:
				return
			case <-ticker.C:
			}
			seq := p.stored + 1
			_, err := queue.Publish(ctx, order{Seq: seq}, durable.WithID(strconv.FormatInt(seq, 10)))
			if !assert.NoError(t, err) {
				return
			}
			p.stored = seq
		}
	})
	return p
}

// newStreams makes what the queue needs.
func newStreams(t *testing.T, conn *nats.Conn) {
	t.Helper()
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	for name, subject := range map[string]string{"ORDERS": "orders", "DEAD": "dead.>"} {
		_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{subject}})
		require.NoError(t, err)
	}
}

// deadLetters returns how many there are.
func deadLetters(t *testing.T, conn *nats.Conn) uint64 {
	t.Helper()
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	stream, err := js.Stream(t.Context(), "DEAD")
	require.NoError(t, err)
	info, err := stream.Info(t.Context())
	require.NoError(t, err)
	return info.State.Msgs
}

// await waits until so many more orders have been handled.
func (d *deliveries) await(t *testing.T, more int) {
	t.Helper()
	want, _, _ := d.count()
	want += more
	require.Eventually(t, func() bool { n, _, _ := d.count(); return n >= want }, patience, poll)
}

// What must hold when programs that handle durable messages are killed in the middle of that:
// other programs handle what they had taken. No message that the stream has acknowledged is
// lost. What is handled twice says so.
func TestDurableWorkersAreKilled(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t, natstest.Options{JetStream: true})
	conn := s.Conn(t)
	newStreams(t, conn)
	handled := &deliveries{handled: map[int64]int{}}
	start := func(name string) *program {
		return launch(t, setup{Role: "worker", Name: name, URL: s.URL()}, handled.hear)
	}
	a, b := start("a"), start("b")
	p := publish(t, conn)
	kills := long(t, 2, 20)
	for range kills {
		handled.await(t, 50)
		a.kill()
		handled.await(t, 50) // The other one goes on.
		a, b = b, start("another")
	}
	p.stop()
	require.Eventually(t, func() bool { n, _, _ := handled.count(); return n == int(p.stored) }, patience, poll, "none is lost")
	a.finish()
	b.finish()
	_, repeated, unmarked := handled.count()
	assert.Zero(t, unmarked)
	assert.Zero(t, deadLetters(t, conn))
	t.Logf("%d stored and handled, %d of them again, in %d kills", p.stored, repeated, kills)
}

// What must hold when the server is killed in the middle of durable messages, and started again:
// publishers and workers go on without a person. No message that the stream has acknowledged is
// lost, and none is stored twice, although the publisher sends it again. A server that is killed
// may forget what it has delivered last: then a repetition does not say that it is one.
func TestDurableServerIsKilled(t *testing.T) {
	t.Parallel()
	port, dir := freePort(t), t.TempDir()
	url := "nats://127.0.0.1:" + strconv.Itoa(port)
	start := func() *program {
		return launch(t, setup{Role: "server", Name: "server", Port: port, Dir: dir}, nil)
	}
	server := start()
	conn, err := natstest.Connect(url)
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	newStreams(t, conn)
	handled := &deliveries{handled: map[int64]int{}}
	worker := launch(t, setup{Role: "worker", Name: "worker", URL: url}, handled.hear)
	p := publish(t, conn)
	kills := long(t, 2, 10)
	for range kills {
		handled.await(t, 50)
		server.kill()
		server = start()
		handled.await(t, 50)
	}
	p.stop()
	require.Eventually(t, func() bool { n, _, _ := handled.count(); return n == int(p.stored) }, patience, poll, "none is lost")
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	stream, err := js.Stream(t.Context(), "ORDERS")
	require.NoError(t, err)
	info, err := stream.Info(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, p.stored, info.State.Msgs, "none is stored twice")
	assert.Zero(t, deadLetters(t, conn))
	worker.finish()
	_, repeated, unmarked := handled.count()
	t.Logf("%d stored and handled, %d of them again, %d without saying so, in %d kills", p.stored, repeated, unmarked, kills)
}
