// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package failuretest_test

import (
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

const (
	// sessions is how many members each session node has.
	sessions = 20
	// broadcastInterval is the time between two broadcasts.
	broadcastInterval = 5 * time.Millisecond
)

// cluster is a guild that broadcasts to the sessions on two nodes, all of them processes of the
// operating system.
type cluster struct {
	t       *testing.T
	url     string
	handled *ledger
	guild   *program
	nodes   map[string]*program

	mu      sync.Mutex
	reached map[int64]int64 // By each broadcast, how many members it was sent to.
}

// newCluster starts one, and returns when broadcasts reach all sessions.
func newCluster(t *testing.T, url string) *cluster {
	t.Helper()
	c := &cluster{t: t, url: url, handled: newLedger(), nodes: map[string]*program{}, reached: map[int64]int64{}}
	c.sessions("a")
	c.sessions("b")
	c.broadcast("guild", 0)
	c.reaches(2 * sessions)
	return c
}

func (c *cluster) sessions(name string) {
	c.t.Helper()
	c.nodes[name] = launch(c.t, setup{Role: "sessions", Name: name, URL: c.url, Members: sessions}, c.handled.hear)
}

func (c *cluster) broadcast(name string, first int64) {
	c.t.Helper()
	c.guild = launch(c.t, setup{Role: "guild", Name: name, URL: c.url, Interval: broadcastInterval, First: first}, c.hear)
}

// hear keeps what the guild says of its broadcasts.
func (c *cluster) hear(r report) bool {
	if r.What == "broadcast" {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.reached[r.Seq] = r.N
	}
	return false
}

// everywhere returns which of the broadcasts were sent to the members on all nodes.
func (c *cluster) everywhere(seqs []int64) (sent []int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, seq := range seqs {
		if c.reached[seq] == 2*sessions {
			sent = append(sent, seq)
		}
	}
	return sent
}

// reaches waits until a broadcast reaches so many members, as the guild sees it.
func (c *cluster) reaches(members int64) {
	c.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		r := c.guild.await("broadcast")
		if r.N == members {
			return
		}
		require.True(c.t, time.Now().Before(deadline), "a broadcast reaches %d", r.N)
	}
}

// handle waits until all sessions of the nodes have handled so many more broadcasts.
func (c *cluster) handle(more int, nodes ...string) {
	c.t.Helper()
	want := map[string]int{}
	for _, name := range nodes {
		for i := range sessions {
			key := name + "/" + strconv.Itoa(i)
			want[key] = c.handled.count(key) + more
		}
	}
	for key, n := range want {
		require.Eventually(c.t, func() bool { return c.handled.count(key) >= n }, patience, poll, key)
	}
}

// stop ends the broadcasts, and returns the last one and how many members were reached, when the
// sessions of the nodes have handled the last one.
func (c *cluster) stop(nodes ...string) (last, reached int64) {
	c.t.Helper()
	r := c.guild.ask("stop")
	require.Empty(c.t, r.Text)
	for _, name := range nodes {
		for i := range sessions {
			key := name + "/" + strconv.Itoa(i)
			require.Eventually(c.t, func() bool { return c.handled.last(key) == r.Seq }, patience, poll, key)
		}
	}
	return r.Seq, r.N
}

// check checks that no session has handled anything twice or out of order, and that what one of
// a node has handled all of that node have. It returns what one of them has handled.
func (c *cluster) check(name string) []int64 {
	c.t.Helper()
	keys := c.handled.keys(name)
	require.Len(c.t, keys, sessions)
	first := c.handled.of(keys[0])
	increasing(c.t, keys[0], first)
	for _, key := range keys {
		assert.Equal(c.t, first, c.handled.of(key), key)
	}
	return first
}

func (c *cluster) finish() {
	c.t.Helper()
	c.guild.finish()
	for _, node := range c.nodes {
		node.finish()
	}
}

// What must hold when a node with sessions is killed in the middle of broadcasts: the sessions
// on other nodes get each broadcast once, in order, as if nothing had happened. Within some
// seconds the guild knows that the members are gone. What it sent to the node until then is lost:
// the guild has counted it as delivered, and no relay has counted it. When the node is back, its
// sessions get broadcasts again, without a person.
func TestSessionNodeIsKilled(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t, natstest.Options{})
	c := newCluster(t, s.URL())
	for range long(t, 1, 10) {
		c.handle(50, "a", "b")
		c.nodes["b"].kill()
		c.reaches(sessions) // The guild notices.
		c.handle(20, "a")
		c.sessions("b")
		c.reaches(2 * sessions)
		c.handle(20, "a", "b")
	}
	last, reached := c.stop("a", "b")
	survivor := c.check("a")
	assert.Empty(t, gaps(survivor, last-survivor[0]+1, survivor[0]), "the others miss nothing")
	relayed := read(t, c.nodes["a"].ask("stats")).Group.RelayedTo
	assert.EqualValues(t, len(survivor)*sessions, relayed)
	handled := int64(0)
	for _, name := range []string{"a", "b"} {
		for _, key := range c.handled.keys(name) {
			seqs := c.handled.of(key)
			increasing(t, key, seqs)
			handled += int64(len(seqs))
		}
	}
	assert.LessOrEqual(t, handled, reached)
	t.Logf("%d broadcasts, %d deliveries, %d of them lost", last, reached, reached-handled)
	c.finish()
}

// What must hold when a node with sessions is stopped, as by a debugger, for longer than nodes
// are believed to be there that say nothing, and goes on: the others do not notice. The guild
// knows that the members are gone, and after that, that they are back. What was sent to the node
// until it was gone arrives late, once and in order.
func TestSessionNodeIsPaused(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t, natstest.Options{})
	c := newCluster(t, s.URL())
	for range long(t, 1, 5) {
		c.handle(50, "a", "b")
		c.nodes["b"].signal(syscall.SIGSTOP)
		c.reaches(sessions)
		c.handle(20, "a")
		c.nodes["b"].signal(syscall.SIGCONT)
		c.reaches(2 * sessions)
		c.handle(20, "a", "b")
	}
	last, _ := c.stop("a", "b")
	for _, name := range []string{"a", "b"} {
		seqs := c.check(name)
		missing := gaps(seqs, last-seqs[0]+1, seqs[0])
		assert.Empty(t, c.everywhere(missing), "what was sent to all arrives")
		if name == "a" {
			assert.Empty(t, missing)
		}
	}
	c.finish()
}

// What must hold when the node that broadcasts is killed: the sessions have handled what it had
// sent, each broadcast once, without a hole. Another node goes on broadcasting to the same
// sessions, without a person.
func TestBroadcastingNodeIsKilled(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t, natstest.Options{})
	c := newCluster(t, s.URL())
	type guild struct{ first, begun int64 } // What it broadcast comes after first, and ends with begun or before.
	killed := []guild{{}}
	for i := range long(t, 2, 10) {
		c.handle(50, "a", "b")
		c.guild.kill()
		last := &killed[i]
		for len(c.guild.reports("begun")) > 0 {
			last.begun = c.guild.await("begun").Seq
		}
		next := guild{first: last.begun + 1000}
		killed = append(killed, next)
		c.broadcast("guild "+strconv.Itoa(i+2), next.first)
		c.reaches(2 * sessions)
	}
	c.stop("a", "b")
	for _, name := range []string{"a", "b"} {
		seqs := c.check(name)
		for i, last := range killed[:len(killed)-1] {
			got := between(seqs, last.first, killed[i+1].first)
			require.NotEmpty(t, got)
			assert.Empty(t, gaps(got, int64(len(got)), got[0]), "without a hole")
			assert.LessOrEqual(t, got[len(got)-1], last.begun)
		}
		assert.Zero(t, read(t, c.nodes[name].ask("stats")).Node.Dropped)
	}
	c.finish()
}

// between returns the numbers above first and up to last.
func between(seqs []int64, first, last int64) (found []int64) {
	for _, seq := range seqs {
		if seq > first && seq <= last {
			found = append(found, seq)
		}
	}
	return found
}

// What must hold when the server of NATS is killed in the middle of broadcasts, and started
// again: all nodes find each other again, without a person. No session handles anything twice or
// out of order. What was sent to a node and lost is one stretch, which begins at the kill. What
// was not sent to it, because nothing was heard of it for too long, the guild has not counted as
// delivered.
func TestServerIsKilledDuringBroadcasts(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	server := launch(t, setup{Role: "server", Name: "server", Port: port}, nil)
	c := newCluster(t, "nats://127.0.0.1:"+strconv.Itoa(port))
	kills := long(t, 1, 10)
	for range kills {
		c.handle(50, "a", "b")
		server.kill()
		// For longer than nodes are believed to be there that say nothing.
		begun := c.guild.await("broadcast").Seq
		require.Eventually(t, func() bool { return c.guild.await("broadcast").N == 0 }, patience, time.Millisecond)
		server = launch(t, setup{Role: "server", Name: "server", Port: port}, nil)
		c.reaches(2 * sessions)
		c.handle(50, "a", "b")
		require.Greater(t, c.guild.await("broadcast").Seq, begun)
	}
	last, _ := c.stop("a", "b")
	for _, name := range []string{"a", "b"} {
		seqs := c.check(name)
		missing := gaps(seqs, last-seqs[0]+1, seqs[0])
		lost := c.everywhere(missing)
		assert.LessOrEqual(t, runs(lost), kills, "%s: each kill costs one stretch: %v", name, lost)
		t.Logf("%s: of %d broadcasts %d were lost, and %d not sent", name, last, len(lost), len(missing)-len(lost))
	}
	c.finish()
}
