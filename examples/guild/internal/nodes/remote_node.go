// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/waybill-go/waybill/examples/guild/internal/load"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
)

// remoteNode is a session node as the guild node sees it. When its process ends, another takes
// its place.
type remoteNode struct {
	fleet   *Fleet
	number  int
	control mailbox.Ref[nodeRequest]
	wake    chan struct{} // holds one when it is to be asked how it is at once

	mu      sync.Mutex
	pid     int // 0 while there is none
	starts  int // so often it was ready
	process int // changes when one is ready and when one has ended
	clients *Clients
	now     State // of the process that there is
	past    State // of those before, as they were last seen
	crowds  map[int]*load.Crowd
}

// begin takes note that the node is ready.
func (n *remoteNode) begin(pid int) {
	n.mu.Lock()
	n.pid = pid
	n.process++
	n.starts++
	again, clients := n.starts > 1, n.clients
	n.mu.Unlock()
	switch {
	case !again:
		fmt.Fprintf(n.fleet.config.Out, "session node %d runs as process %d\n", n.number, pid)
	case clients == nil:
		fmt.Fprintf(n.fleet.config.Out, "session node %d is back, as process %d\n", n.number, pid)
	default:
		fmt.Fprintf(n.fleet.config.Out, "session node %d is back, as process %d, with %d new sessions\n", n.number, pid, clients.Len())
	}
	if clients != nil {
		n.tell(context.Background(), *clients)
	}
}

// lose takes note that the node has ended by itself, or could not be started again.
func (n *remoteNode) lose(because error) {
	n.mu.Lock()
	was, sessions := n.pid != 0, n.now.Traffic.Sessions
	n.pid = 0
	n.process++
	n.past = n.past.Plus(n.now)
	n.past.Traffic.Sessions = 0
	n.now = State{}
	for _, c := range n.crowds {
		c.Leave()
	}
	n.crowds = nil
	n.mu.Unlock()
	if was {
		n.fleet.losses.Add(1)
		fmt.Fprintf(n.fleet.config.Out, "session node %d ended (%v), and its %d sessions with it; it is started again\n",
			n.number, because, sessions)
	} else {
		fmt.Fprintf(n.fleet.config.Out, "session node %d cannot be started again yet: %v\n", n.number, because)
	}
	n.fleet.changed()
}

// connect has the node connect clients, now and whenever it is started again.
func (n *remoteNode) connect(ctx context.Context, c Clients) {
	n.mu.Lock()
	n.clients = &c
	ready := n.pid != 0
	n.mu.Unlock()
	if ready { // If not, begin tells it.
		n.tell(ctx, c)
	}
}

// tell tells the node to connect clients. One that has gone meanwhile is told when it is back.
func (n *remoteNode) tell(ctx context.Context, c Clients) {
	asking, cancel := context.WithTimeout(ctx, tellTime)
	defer cancel()
	_, err := mailbox.Call(asking, n.control, func(r mailbox.Reply[bool]) nodeRequest { return Connect{c, r} })
	if err != nil {
		n.fleet.config.Logger.WarnContext(ctx, "a session node does not connect its clients",
			slog.Int("node", n.number), slog.Any("error", err))
	}
}

// look asks how the node is, until ctx ends.
func (n *remoteNode) look(ctx context.Context) {
	for {
		wait := calmly
		if n.fleet.eager.Load() {
			wait = eagerly
		}
		select {
		case <-time.After(wait):
		case <-n.wake:
		case <-ctx.Done():
			return
		}
		// One that does not answer has ended, or will be asked again. What was asked is waited for.
		_ = n.see(context.WithoutCancel(ctx), lookTime)
		n.fleet.changed()
		n.follow(ctx)
	}
}

// see asks how the node is.
func (n *remoteNode) see(ctx context.Context, patience time.Duration) error {
	return n.ask(ctx, patience, func(r mailbox.Reply[State]) nodeRequest { return Look{r} })
}

// settle asks the same once the node is at rest and has exported its spans.
func (n *remoteNode) settle(ctx context.Context, patience time.Duration) error {
	return n.ask(ctx, patience, func(r mailbox.Reply[State]) nodeRequest { return Settle{r} })
}

// ask asks the node for its state, and takes note of that.
func (n *remoteNode) ask(ctx context.Context, patience time.Duration, q func(mailbox.Reply[State]) nodeRequest) error {
	n.mu.Lock()
	process, ready := n.process, n.pid != 0
	n.mu.Unlock()
	if !ready {
		return nil // It has nothing to settle either.
	}
	asking, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s, err := mailbox.Call(asking, n.control, q)
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.process != process: // It was about another one.
		return nil
	case err != nil:
		return fmt.Errorf("session node %d: %w", n.number, err)
	}
	n.take(s)
	return nil
}

// take takes note of the node's state.
func (n *remoteNode) take(s State) {
	if s.Latency == nil {
		s.Latency = n.now.Latency
	}
	n.now = s
	if n.crowds == nil {
		n.crowds = make(map[int]*load.Crowd)
	}
	for _, r := range s.Reached {
		if c := n.crowds[r.Guild]; c != nil {
			c.Reach(r.All)
		} else {
			n.crowds[r.Guild] = n.fleet.config.Ledger.Crowd(r.Guild, r.All)
		}
	}
}

// follow has the node's tracing follow the control of the guild node. The node says what it follows, so
// a message that is lost is sent again.
func (n *remoteNode) follow(ctx context.Context) {
	config := n.fleet.config.Hub.config.Control.Config()
	n.mu.Lock()
	changed := n.pid != 0 && !same(config, n.now.Sampling)
	n.mu.Unlock()
	if changed {
		if err := n.control.Send(ctx, Follow{config}); err != nil {
			n.fleet.config.Logger.WarnContext(ctx, "a session node does not follow the tracing",
				slog.Int("node", n.number), slog.Any("error", err))
		}
	}
}

// view returns what there is to see of the node.
func (n *remoteNode) view() View {
	n.mu.Lock()
	defer n.mu.Unlock()
	v := View{Node: Name(n.number), PID: n.pid, Starts: n.starts, State: n.past.Plus(n.now)}
	v.Reached, v.Sampling, v.Latency = n.now.Reached, n.now.Sampling, nil
	return v
}

// state returns what the node has done, over all of its processes.
func (n *remoteNode) state() State {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.past.Plus(n.now)
}

// same reports whether two configurations are the same as JSON, in which an empty part may be left out.
func same(a, b sampling.Config) bool {
	one, err := json.Marshal(a)
	if err != nil {
		return false
	}
	other, err := json.Marshal(b)
	return err == nil && bytes.Equal(one, other)
}
