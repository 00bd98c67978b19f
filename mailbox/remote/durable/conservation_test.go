// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package durable_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote/durable"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

// ledger notes what happened to each message, by its number.
type ledger struct {
	mu       sync.Mutex
	begun    map[int]int
	handled  map[int]int
	unmarked []int // begun again, without saying so
	most     int   // attempts
}

func (l *ledger) begin(d durable.Delivery[order]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.begun[d.Message.N]++; l.begun[d.Message.N] > 1 && !d.Redelivered {
		l.unmarked = append(l.unmarked, d.Message.N)
	}
	l.most = max(l.most, d.Attempt)
}

func (l *ledger) done(d durable.Delivery[order]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.handled[d.Message.N]++
}

// node has a process handle messages with random failures, and starts another one whenever that
// ends, until the test stops.
type node struct {
	t     *testing.T
	queue *durable.Queue[order]
	sys   *mailbox.System
	book  *ledger
	stop  chan struct{}

	mu  sync.Mutex
	rng *rand.Rand
	ref mailbox.Ref[durable.Item[order]]
}

func (n *node) chance() float64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.rng.Float64()
}

func (n *node) handle(ctx context.Context, d durable.Delivery[order]) error {
	n.book.begin(d)
	switch p := n.chance(); {
	case p < 0.15:
		return errBroken
	case p < 0.18:
		panic("broken") // It ends the process.
	case p < 0.20:
		runtime.Goexit()
	case p < 0.25:
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	n.book.done(d)
	return nil
}

func (n *node) run() {
	for {
		ref, err := mailbox.Spawn(n.sys, "shipping", durable.Handler(n.handle), mailbox.WithCapacity(4))
		if !assert.NoError(n.t, err) {
			return
		}
		n.mu.Lock()
		n.ref = ref
		n.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		c, err := n.queue.Consume(ctx, ref)
		cancel()
		if err != nil { // The server is away.
			ref.Kill()
			select {
			case <-n.stop:
				return
			case <-time.After(20 * time.Millisecond):
				continue
			}
		}
		select {
		case <-c.Done():
		case <-n.stop:
			assert.NoError(n.t, c.Close(context.Background()))
			return
		}
	}
}

// Whatever fails, handlers, processes or the server, each message that was published is handled
// or is a dead letter, whoever begins with one again is told so, and nobody gets one more often
// than is configured.
func TestNoMessageIsLost(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	messages, restarts := 400, 2
	if testing.Short() {
		messages, restarts = 150, 1
	}
	server, js := start(t)
	conf := config()
	conf.MaxHeld = 16
	conf.MaxDeliver = 4
	book := &ledger{begun: map[int]int{}, handled: map[int]int{}}
	stop := make(chan struct{})
	// A server that stops while it makes a stream or a consumer leaves goroutines behind, so all
	// of them are there before it restarts.
	publisher := newQueue(t, js, conf)
	c, err := publisher.Consume(t.Context(), ref(t))
	require.NoError(t, err)
	require.NoError(t, c.Close(t.Context()))
	var nodes []*node
	var running sync.WaitGroup
	for i := range 2 {
		n := &node{
			t: t, queue: newQueue(t, streams(t, server.Conn(t)), conf), sys: newSystem(t), book: book, stop: stop,
			rng: rand.New(rand.NewPCG(seed, uint64(i))),
		}
		nodes = append(nodes, n)
		running.Go(n.run)
	}
	disturb(t, server, publisher, nodes, messages, restarts, seed)
	eventually(t, func() bool { return settled(t, js) })
	close(stop)
	running.Wait()

	dead := map[int]int{}
	for _, msg := range deadLetters(t, js) {
		var o order
		require.NoError(t, json.Unmarshal(msg.Data, &o))
		dead[o.N]++
	}
	book.mu.Lock()
	defer book.mu.Unlock()
	for n := range messages {
		assert.Positive(t, book.handled[n]+dead[n], "message %d is lost", n)
		assert.LessOrEqual(t, dead[n], 1, "message %d", n)
	}
	assert.Empty(t, book.unmarked)
	assert.LessOrEqual(t, book.most, conf.MaxDeliver)
	for _, n := range nodes {
		requireBalance(t, n.queue.Stats())
		assert.Zero(t, n.queue.Stats().Held)
	}
}

// disturb publishes messages, kills processes and restarts the server meanwhile.
func disturb(
	t *testing.T, server *natstest.Server, q *durable.Queue[order], nodes []*node, messages, restarts int, seed uint64,
) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 99))
	for n := range messages {
		_, err := q.Publish(t.Context(), order{n}, durable.WithID(strconv.Itoa(n)))
		require.NoError(t, err)
		if rng.IntN(20) == 0 {
			victim := nodes[rng.IntN(len(nodes))]
			victim.mu.Lock()
			ref := victim.ref
			victim.mu.Unlock()
			ref.Kill()
		}
		if n%(messages/(restarts+1)) == messages/(restarts+1)-1 && restarts > 0 {
			server.Restart(t)
			restarts--
		}
	}
}
