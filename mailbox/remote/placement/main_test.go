// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package placement_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
	"github.com/waybill-go/waybill/mailbox/remote/placement"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	// patience is how long a test waits for what must happen before it fails.
	patience = time.Minute
	// often is how long a test waits between looks.
	often = 5 * time.Millisecond
	// lease is short where nodes are lost, so that tests need not wait, and long enough for a
	// busy machine.
	lease = 3 * time.Second
)

// brief makes leases short, and lets no node lose its lease because the machine is busy.
func brief(config *placement.Config[counterMsg]) {
	config.Lease = lease
	*config = placement.WithClock(*config, steady.now)
}

// steady is the clock of brief.
var steady = newClock()

// clock is a clock that does not count how long the program stands still: it goes on by
// no more than a step from one look at it to the next.
type clock struct {
	mu          sync.Mutex
	last, shown time.Time
}

const step = lease / 8

func newClock() *clock {
	now := time.Now()
	return &clock{last: now, shown: now}
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.shown = c.shown.Add(min(now.Sub(c.last), step))
	c.last = now
	return c.shown
}

// counterMsg is a message to a counter.
type counterMsg interface{ isCounter() }

type (
	// add adds to a counter.
	add struct{ N int }
	// read asks for the sum, and who has counted it.
	read struct{ reply mailbox.Reply[sum] }
	// work is a handling that takes long.
	work struct{ Name string }
)

type sum struct {
	N     int
	Node  string
	Token uint64
}

func (add) isCounter()  {}
func (read) isCounter() {}
func (work) isCounter() {}

func counters() remote.Protocol[counterMsg] {
	return remote.Protocol[counterMsg]{
		Codec: remote.Variants(map[string]counterMsg{"add": add{}, "read": read{}, "work": work{}}),
		Calls: []remote.CallType[counterMsg]{
			remote.Answered[counterMsg](func(r *read) *mailbox.Reply[sum] { return &r.reply }, nil),
		},
	}
}

// machine is what a test has of one machine.
type machine struct {
	name string
	sys  *mailbox.System
	conn *nats.Conn
	node *remote.Node
	js   jetstream.JetStream
	kind *placement.Kind[counterMsg]
	// block holds up work handlers until it is closed; begun tells of each.
	block, begun chan struct{}

	mu    sync.Mutex
	added map[string]int // what was added by handlers here, by ID
}

// cluster is a server, and what the machines of a test share.
type cluster struct {
	server *natstest.Server
	state  string // the bucket
	n      int
	acts   recorder
	wrap   func(jetstream.JetStream) jetstream.JetStream // of the kinds of new machines, if it is not nil
}

func newCluster(t testing.TB) *cluster {
	return &cluster{server: natstest.Start(t, natstest.Options{JetStream: true}), state: "states"}
}

// newMachine makes a machine that ends with the test.
func (c *cluster) newMachine(t testing.TB, conn *nats.Conn, change func(*placement.Config[counterMsg])) *machine {
	t.Helper()
	c.n++
	m := &machine{
		name: fmt.Sprint("node-", c.n), sys: mailbox.NewSystem(mailbox.WithLogger(nil)), conn: conn,
		block: make(chan struct{}), begun: make(chan struct{}, 100), added: make(map[string]int),
	}
	var err error
	m.node, err = remote.NewNode(m.sys, conn, remote.WithLogger(nil), remote.WithID(m.name))
	require.NoError(t, err)
	m.js, err = jetstream.New(conn)
	require.NoError(t, err)
	states, err := placement.NewState(t.Context(), m.js, placement.StateConfig{Bucket: c.state})
	require.NoError(t, err)
	config := placement.Config[counterMsg]{
		Lease: patience, Logger: quiet(),
		Factory: func(ctx context.Context, self mailbox.Ref[counterMsg]) (mailbox.Instance[counterMsg], error) {
			return c.counter(ctx, m, self.ID(), states)
		},
	}
	if change != nil {
		change(&config)
	}
	js := m.js
	if c.wrap != nil {
		js = c.wrap(js)
	}
	m.kind, err = placement.NewKind(t.Context(), m.node, js, "counter", counters(), config)
	require.NoError(t, err)
	t.Cleanup(func() {
		over, cancel := context.WithCancel(context.Background())
		cancel()
		select {
		case <-m.block:
		default:
			close(m.block)
		}
		_ = m.kind.Close(over)
		_ = m.sys.Shutdown(over)
		_ = m.node.Close(over)
	})
	return m
}

// machines makes several.
func (c *cluster) machines(t testing.TB, n int, change func(*placement.Config[counterMsg])) []*machine {
	t.Helper()
	all := make([]*machine, n)
	for i := range all {
		all[i] = c.newMachine(t, c.server.Conn(t), change)
	}
	for _, m := range all {
		require.Eventually(t, func() bool { return m.kind.Stats().Nodes == uint64(n) }, patience, often)
	}
	return all
}

// counter is a process that keeps a sum. It saves it when it is passivated or stopped.
func (c *cluster) counter(ctx context.Context, m *machine, id string, states *placement.State) (mailbox.Instance[counterMsg], error) {
	var total int
	saved, err := states.Load(ctx)
	if err == nil && saved != nil {
		err = json.Unmarshal(saved, &total)
	}
	return mailbox.Instance[counterMsg]{
		Handle: func(ctx context.Context, message counterMsg) error {
			token, _ := placement.Token(ctx)
			switch message := message.(type) {
			case add:
				total += message.N
				m.mu.Lock()
				m.added[id] += message.N
				m.mu.Unlock()
			case read:
				message.reply.Answer(sum{total, m.name, token})
			case work:
				m.begun <- struct{}{}
				<-m.block
				c.acts.act(id, token, m.name+" "+message.Name)
				return states.Save(ctx, []byte("99"))
			}
			return nil
		},
		Save: func(ctx context.Context) error {
			data, err := json.Marshal(total)
			if err == nil {
				err = states.Save(ctx, data)
			}
			return err
		},
	}, err
}

// recorder accepts acts as a store of users' would: not with a token that is older than one
// that it has seen.
type recorder struct {
	mu       sync.Mutex
	newest   map[string]uint64
	accepted []string
	refused  []string
}

func (r *recorder) act(id string, token uint64, what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.newest == nil {
		r.newest = make(map[string]uint64)
	}
	if token < r.newest[id] {
		r.refused = append(r.refused, what)
		return
	}
	r.newest[id] = token
	r.accepted = append(r.accepted, what)
}

func (r *recorder) all() (accepted, refused []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.accepted...), append([]string(nil), r.refused...)
}

// sumOf calls the process.
func sumOf(ctx context.Context, ref mailbox.Ref[counterMsg]) (sum, error) {
	return mailbox.Call(ctx, ref, func(r mailbox.Reply[sum]) counterMsg { return read{r} })
}

// get returns a reference, or fails the test.
func get(t testing.TB, m *machine, id string) mailbox.Ref[counterMsg] {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ref, err := m.kind.GetOrSpawn(ctx, id)
	require.NoError(t, err)
	return ref
}

// ask calls the process from that machine, or fails the test.
func ask(t testing.TB, m *machine, id string) sum {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := sumOf(ctx, get(t, m, id))
	require.NoError(t, err)
	return s
}
