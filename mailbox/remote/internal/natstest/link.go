// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package natstest

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
)

// chunkSize is how many bytes a link passes on at once, and linkBuffer how many chunks of one
// connection it may hold while they are delayed.
const (
	chunkSize  = 16 << 10
	linkBuffer = 64
)

// socketBuffer bounds what the kernel holds for the link, so that the end behind it soon notices
// when the link is slow.
const socketBuffer = 64 << 10

// throttleStep is how often a throttled link passes something on.
const throttleStep = 20 * time.Millisecond

// Link is a way to a server that a test can disturb. It forwards TCP connections, whatever
// they carry.
type Link struct {
	target   string
	listener net.Listener
	ctx      context.Context //nolint:containedctx // It ends everything that the link started.
	end      context.CancelFunc
	running  sync.WaitGroup

	mu       sync.Mutex
	state    linkState
	conns    map[*linkConn]struct{}
	accepted int
}

// linkState is how the link treats what it forwards.
type linkState struct {
	cut, hanging bool
	delay        time.Duration
	rate         int           // Bytes per second towards the client; 0 is no limit.
	changed      chan struct{} // Closed when the state is replaced.
}

// NewLink forwards connections to the target, a host and a port, until the test ends.
func NewLink(t testing.TB, target string) *Link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // It does not wait.
	require.NoError(t, err)
	ctx, end := context.WithCancel(context.Background())
	l := &Link{
		target:   target,
		listener: listener,
		ctx:      ctx,
		end:      end,
		state:    linkState{changed: make(chan struct{})},
		conns:    map[*linkConn]struct{}{},
	}
	l.running.Go(l.accept)
	t.Cleanup(l.close)
	return l
}

// Addr is the address to connect to instead of the target, as host and port.
func (l *Link) Addr() string { return l.listener.Addr().String() }

// URL is what clients of NATS connect to.
func (l *Link) URL() string { return "nats://" + l.Addr() }

// Conn connects over the link until the test ends, as Server.Conn does without it.
func (l *Link) Conn(t testing.TB, options ...nats.Option) *nats.Conn {
	t.Helper()
	return connect(t, l.URL(), options)
}

// Cut resets all connections, and every new one until Heal: both ends notice at once.
func (l *Link) Cut() {
	l.change(func(s *linkState) { s.cut = true })
	l.reset()
}

// Hang stops passing anything on, in both directions, until Heal: neither end notices, unless
// it expects an answer. Connections that are made meanwhile hang too. What was under way
// arrives after Heal.
func (l *Link) Hang() { l.change(func(s *linkState) { s.hanging = true }) }

// Heal ends what Cut, Hang, Delay and Throttle began.
func (l *Link) Heal() { l.change(func(s *linkState) { *s = linkState{} }) }

// Delay lets everything arrive later by d, in both directions. The order stays, and the
// throughput too as long as the link can hold what is under way: 1 MiB for each connection.
func (l *Link) Delay(d time.Duration) { l.change(func(s *linkState) { s.delay = d }) }

// Throttle lets so many bytes per second pass from the target to the client, on each connection.
// Zero is no limit. So the client becomes a slow consumer.
func (l *Link) Throttle(bytesPerSecond int) {
	l.change(func(s *linkState) { s.rate = bytesPerSecond })
}

// Accepted is how many connections the link has accepted, those included that it reset.
func (l *Link) Accepted() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.accepted
}

// change replaces the state, and wakes those who wait for that.
func (l *Link) change(by func(*linkState)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.state.changed)
	by(&l.state)
	l.state.changed = make(chan struct{})
}

// now is the state that holds at the moment.
func (l *Link) now() linkState {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

// accept forwards connections until the listener is closed.
func (l *Link) accept() {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.mu.Lock()
		l.accepted++
		l.mu.Unlock()
		l.running.Go(func() { l.serve(client) })
	}
}

// serve forwards one connection until one of its ends closes it, or the link does.
func (l *Link) serve(client net.Conn) {
	c := &linkConn{link: l, client: client, done: make(chan struct{})}
	defer c.reset()
	if !l.add(c) {
		return
	}
	defer l.remove(c)
	dialer := net.Dialer{Timeout: startTimeout}
	server, err := dialer.DialContext(l.ctx, "tcp", l.target)
	if err != nil || !c.connected(server) {
		return
	}
	var directions sync.WaitGroup
	directions.Go(func() { c.forward(client, server, false) })
	directions.Go(func() { c.forward(server, client, true) })
	directions.Wait()
}

// add says whether the connection may go on, and keeps it.
func (l *Link) add(c *linkConn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state.cut || l.ctx.Err() != nil {
		return false
	}
	l.conns[c] = struct{}{}
	return true
}

func (l *Link) remove(c *linkConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
}

// reset ends all connections.
func (l *Link) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		c.reset()
	}
}

// close ends the link, and returns when nothing of it is left.
func (l *Link) close() {
	l.end()
	_ = l.listener.Close()
	l.reset()
	l.running.Wait()
}
