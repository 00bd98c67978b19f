// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package failuretest_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
	"github.com/waybill-go/waybill/mailbox/remote/placement"
)

// newAccounts makes a node's part of the kind that the tests place.
func newAccounts(ctx context.Context, n *node, factory mailbox.Factory[order]) (*placement.Kind[order], error) {
	js, err := jetstream.New(n.Conn())
	if err != nil {
		return nil, err
	}
	return placement.NewKind(ctx, n.Node, js, "account", remote.Protocol[order]{}, placement.Config[order]{
		Factory: factory, Lease: lease, Logger: slog.New(slog.DiscardHandler),
	})
}

// fencedStore is what owners act on: it refuses whoever has a smaller token than it has seen.
type fencedStore struct {
	mu      sync.Mutex
	highest map[string]uint64
	acts    map[string][]recorded // By process, in the order in which they came.
}

// recorded is an act that has come to the store.
type recorded struct {
	act
	accepted bool
}

// newFencedStore serves one until the test ends.
func newFencedStore(t *testing.T, conn *nats.Conn) *fencedStore {
	t.Helper()
	s := &fencedStore{highest: map[string]uint64{}, acts: map[string][]recorded{}}
	_, err := conn.Subscribe(actsSubject, func(m *nats.Msg) {
		var a act
		if !assert.NoError(t, json.Unmarshal(m.Data, &a)) {
			return
		}
		answer := "refused"
		if s.take(a) {
			answer = "accepted"
		}
		_ = m.Respond([]byte(answer)) // Whoever asked may be gone.
	})
	require.NoError(t, err)
	require.NoError(t, conn.Flush())
	return s
}

func (s *fencedStore) take(a act) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	accepted := a.Token >= s.highest[a.ID]
	s.acts[a.ID] = append(s.acts[a.ID], recorded{a, accepted})
	if accepted {
		s.highest[a.ID] = a.Token
	}
	return accepted
}

// of returns what has been done for a process.
func (s *fencedStore) of(id string) []recorded {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]recorded{}, s.acts[id]...)
}

// owner returns who has acted for a process last, and how often it did with that token.
func (s *fencedStore) owner(id string) (node string, times int) {
	all := s.of(id)
	for i := len(all) - 1; i >= 0 && all[i].Token == all[len(all)-1].Token; i-- {
		node = all[i].Node
		times++
	}
	return node, times
}

// placedCluster is some nodes that run accounts, all processes of the operating system, and one
// in this program that sends orders to all accounts.
type placedCluster struct {
	t      *testing.T
	url    string
	store  *fencedStore
	owners map[string]*program
	kind   *placement.Kind[order]
	ids    []string
	stop   func()

	mu     sync.Mutex
	loaded []report
	sent   map[string]int64
}

const (
	accountsPlaced = 8
	// orderInterval is the time between two orders to one account.
	orderInterval = 20 * time.Millisecond
)

func newPlacedCluster(t *testing.T, url string) *placedCluster {
	t.Helper()
	conn, err := natstest.Connect(url)
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	c := &placedCluster{t: t, url: url, store: newFencedStore(t, conn), owners: map[string]*program{}, sent: map[string]int64{}}
	for _, name := range []string{"a", "b", "c"} {
		c.launch(name)
	}
	n := nodeOn(t, "client", conn, remote.Limits{})
	c.kind, err = newAccounts(t.Context(), n, nil)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), grace)
		defer cancel()
		_ = c.kind.Close(ctx) // The server may be gone.
	})
	c.send()
	c.act()
	return c
}

func (c *placedCluster) launch(name string) {
	c.t.Helper()
	c.owners[name] = launch(c.t, setup{Role: "owner", Name: name, URL: c.url}, func(r report) bool {
		if r.What != "loaded" {
			return false
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.loaded = append(c.loaded, r)
		return true
	})
}

// send sends orders to all accounts, until it is stopped.
func (c *placedCluster) send() {
	ctx, end := context.WithCancel(context.Background())
	var work sync.WaitGroup
	c.stop = func() {
		end()
		work.Wait()
	}
	c.t.Cleanup(c.stop)
	for i := range accountsPlaced {
		id := "account " + strconv.Itoa(i)
		c.ids = append(c.ids, id)
		work.Go(func() { c.sendTo(ctx, id) })
	}
}

func (c *placedCluster) sendTo(ctx context.Context, id string) {
	ticker := time.NewTicker(orderInterval)
	defer ticker.Stop()
	for seq := int64(1); ; seq++ {
		ref, err := c.kind.GetOrSpawn(ctx, id)
		if err == nil {
			err = ref.Send(ctx, order{Seq: seq})
		}
		if ctx.Err() != nil {
			return
		}
		assert.NoError(c.t, err)
		c.mu.Lock()
		c.sent[id] = seq
		c.mu.Unlock()
		<-ticker.C
	}
}

// act waits until somebody has acted some times more for each account, but not one of those.
func (c *placedCluster) act(except ...string) {
	c.t.Helper()
	const times = 10
	before := map[string]int{}
	for _, id := range c.ids {
		before[id] = len(c.store.of(id))
	}
	for _, id := range c.ids {
		require.Eventually(c.t, func() bool {
			node, n := c.store.owner(id)
			return !slices.Contains(except, node) && n >= times && len(c.store.of(id)) >= before[id]+times
		}, patience, poll, id)
	}
}

// check checks that each account had one owner at a time.
func (c *placedCluster) check() {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range c.ids {
		acts := c.store.of(id)
		owners, highest, last, late := map[uint64]string{}, uint64(0), int64(0), map[uint64]int{}
		for _, a := range acts {
			if owners[a.Token] == "" {
				owners[a.Token] = a.Node
			}
			assert.Equal(c.t, owners[a.Token], a.Node, "%s: two nodes with token %d", id, a.Token)
			if a.accepted {
				assert.GreaterOrEqual(c.t, a.Token, highest, "%s: tokens never go back", id)
				assert.Greater(c.t, a.Seq, last, "%s: handled once, and in order", id)
				highest, last = a.Token, a.Seq
				continue
			}
			late[a.Token]++
			c.t.Logf("%s: %s acted late with token %d, after %d", id, a.Node, a.Token, highest)
		}
		for token, n := range late {
			assert.LessOrEqual(c.t, n, 1, "%s: an owner that is none any more finishes one handling at most: token %d", id, token)
		}
		assert.LessOrEqual(c.t, last, c.sent[id]+1)
		c.checkLoaded(id, acts)
		c.t.Logf("%s: %d sent, %d acts by %d owners", id, c.sent[id], len(acts), len(owners))
	}
}

// checkLoaded checks that an owner has begun where the one before has ended: with the last order
// that it acted for, or with the one before that, if it was ended in between.
func (c *placedCluster) checkLoaded(id string, acts []recorded) {
	c.t.Helper()
	for _, r := range c.loaded {
		if r.Member != id {
			continue
		}
		before := []int64{0, 0}
		for _, a := range acts {
			if a.accepted && a.Token < r.Token {
				before = append(before, a.Seq)
			}
		}
		assert.Contains(c.t, before[len(before)-2:], r.Seq, "%s: the state with token %d", id, r.Token)
	}
}

func (c *placedCluster) finish() {
	c.t.Helper()
	c.stop()
	for _, p := range c.owners {
		p.finish()
	}
	c.check()
}

// What must hold when a node that owns processes is stopped for longer than its lease, and goes
// on: others take its processes over without a person, with the state that was saved last. At
// most one owner acts: what the stopped one had begun is refused by a store that knows the
// tokens, and it begins nothing more. Then it is one of the nodes again. Each message is handled
// once at most; those that are lost were sent while there was no owner.
func TestPlacedOwnerIsPaused(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t, natstest.Options{JetStream: true})
	c := newPlacedCluster(t, s.URL())
	for range long(t, 1, 10) {
		node, _ := c.store.owner(c.ids[0])
		c.owners[node].signal(syscall.SIGSTOP)
		c.act(node) // The others have taken over everything.
		c.owners[node].signal(syscall.SIGCONT)
		require.Eventually(t, func() bool { return c.kind.Stats().Nodes == 3 }, patience, poll, "it is back")
		c.act()
		fenced := c.counts(node)
		assert.Positive(t, fenced.Fenced)
		assert.Positive(t, fenced.Killed)
	}
	c.finish()
}

// counts returns what a node has counted.
func (c *placedCluster) counts(node string) placement.Stats {
	c.t.Helper()
	var stats placement.Stats
	r := c.owners[node].ask("counts")
	require.NoError(c.t, json.Unmarshal([]byte(r.Text), &stats))
	return stats
}

// The same must hold when the node is killed, and started again.
func TestPlacedOwnerIsKilled(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t, natstest.Options{JetStream: true})
	c := newPlacedCluster(t, s.URL())
	for range long(t, 1, 10) {
		node, _ := c.store.owner(c.ids[0])
		c.owners[node].kill()
		c.act(node)
		c.launch(node)
		require.Eventually(t, func() bool { return c.kind.Stats().Nodes == 3 }, patience, poll, "it is back")
		c.act()
	}
	c.finish()
}

// The same must hold for all nodes when the server is killed, and started again after their
// leases are over: none may act meanwhile, and all come back without a person.
func TestPlacedServerIsKilled(t *testing.T) {
	t.Parallel()
	port, dir := freePort(t), t.TempDir()
	start := func() *program {
		return launch(t, setup{Role: "server", Name: "server", Port: port, Dir: dir}, nil)
	}
	server := start()
	c := newPlacedCluster(t, "nats://127.0.0.1:"+strconv.Itoa(port))
	for range long(t, 1, 5) {
		server.kill()
		time.Sleep(lease + lease/2) // It is down for longer than a lease.
		server = start()
		require.Eventually(t, func() bool { return c.kind.Stats().Nodes == 3 }, patience, poll, "they are back")
		c.act()
	}
	for name := range c.owners {
		assert.Positive(t, c.counts(name).Fenced, name)
	}
	c.finish()
}
