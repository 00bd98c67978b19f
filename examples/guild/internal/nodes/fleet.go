// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"github.com/waybill-go/waybill/examples/guild/internal/children"
	"github.com/waybill-go/waybill/examples/guild/internal/load"
	"github.com/waybill-go/waybill/examples/guild/internal/telemetry"
	"github.com/waybill-go/waybill/mailbox/remote"
)

// How often the session nodes are asked how they are, while somebody waits for them and
// otherwise, and how long one may take for which answer.
const (
	eagerly    = 20 * time.Millisecond
	calmly     = time.Second
	lookTime   = 2 * time.Second
	tellTime   = 10 * time.Second
	settleTime = 30 * time.Second
	lastTime   = 500 * time.Millisecond // before they end
)

// FleetConfig is what [StartFleet] needs to know. All fields are needed.
type FleetConfig struct {
	Hub       *Hub
	Nodes     int
	Program   string // that is run with the argument [Command]
	Collector telemetry.Collector
	Ledger    *load.Ledger // which counts the clients of session nodes too
	Out       io.Writer    // gets a line for each node that ends, or is back
	Log       io.Writer    // what session nodes log
	Logger    *slog.Logger
}

// Fleet is the session nodes, as the guild node sees them.
type Fleet struct {
	config   FleetConfig
	nodes    []*remoteNode // from index 1
	children *children.Children
	eager    atomic.Bool
	end      context.CancelFunc
	looking  sync.WaitGroup
	losses   atomic.Int64 // nodes that have ended by themselves
	moved    chan struct{}
}

// StartFleet starts the session nodes, and returns when all are ready. A node that ends by
// itself is started again, with its clients.
func StartFleet(ctx context.Context, c FleetConfig) (f *Fleet, err error) {
	f = &Fleet{config: c, nodes: make([]*remoteNode, c.Nodes+1), moved: make(chan struct{}, 1)}
	for n := 1; n <= c.Nodes; n++ {
		ref, err := remote.NewRef(c.Hub.node, sessionNodeKind, c.Hub.link.on(controlName(n)), nodeProtocol())
		if err != nil {
			return nil, err
		}
		f.nodes[n] = &remoteNode{fleet: f, number: n, control: ref, wake: make(chan struct{}, 1)}
	}
	f.children, err = children.Start(ctx, children.Config{
		Count:   c.Nodes,
		Command: func(int) *exec.Cmd { return exec.Command(c.Program, Command) },
		Setup:   f.setup,
		Begun:   func(n, pid int) { f.nodes[n].begin(pid) },
		Ended:   func(n int, because error) { f.nodes[n].lose(because) },
		Log:     c.Log,
	})
	if err != nil {
		return nil, fmt.Errorf("start the session nodes: %w", err)
	}
	looking, end := context.WithCancel(context.WithoutCancel(ctx))
	f.end = end
	for _, m := range f.nodes[1:] {
		f.looking.Go(func() { m.look(looking) })
	}
	return f, nil
}

func (f *Fleet) setup(n int) ([]byte, error) {
	h := f.config.Hub
	return json.Marshal(setup{
		Number: n, Link: h.link, Collector: f.config.Collector, Guilds: h.config.Guilds, Sampling: h.config.Control.Config(),
	})
}

// Connect has the nodes connect clients, which are spread over them, and returns when all are
// in their guilds, and the guilds know of them. Until then say gets how many are in. Clients
// before the first are in guilds already.
func (f *Fleet) Connect(ctx context.Context, all Clients, say func(joined int)) error {
	f.Eager(true)
	defer f.Eager(false)
	for i, m := range f.nodes[1:] {
		mine := all
		mine.First, mine.Step = all.First+i, f.config.Nodes
		m.connect(ctx, mine)
	}
	stalled := time.NewTimer(load.StallTime)
	defer stalled.Stop()
	wanted, before := int64(all.End-all.First), int64(-1)
	for {
		s := f.State()
		switch {
		case s.Failure != "":
			return errors.New(s.Failure)
		case s.Joined >= wanted && f.config.Hub.Len() >= all.End:
			return nil
		case s.Joined != before:
			before = s.Joined
			stalled.Reset(load.StallTime)
		}
		if s.Joined < wanted {
			say(int(s.Joined))
		}
		select {
		case <-f.moved:
		case <-stalled.C:
			return fmt.Errorf("%d of %d sessions are not in their guilds, and nothing has moved for %v",
				wanted-s.Joined, wanted, load.StallTime)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Eager has the nodes asked often how far they are, or no longer.
func (f *Fleet) Eager(on bool) {
	f.eager.Store(on)
	for _, n := range f.nodes[1:] {
		select {
		case n.wake <- struct{}{}:
		default:
		}
	}
}

// State returns what all nodes have done, with those that are gone as they were last seen.
func (f *Fleet) State() (sum State) {
	for _, m := range f.nodes[1:] {
		sum = sum.Plus(m.state())
	}
	return sum
}

// View is what there is to see of a session node.
type View struct {
	Node   string `json:"node"`
	PID    int    `json:"pid"`    // 0 while it is started again
	Starts int    `json:"starts"` // so often it was started
	State
}

// Views returns what there is to see of each node.
func (f *Fleet) Views() (all []View) {
	for _, m := range f.nodes[1:] {
		all = append(all, m.view())
	}
	return all
}

// Losses returns how many nodes have ended by themselves so far.
func (f *Fleet) Losses() int64 { return f.losses.Load() }

// Settle waits until nothing is on its way within any node, and all their spans have come.
func (f *Fleet) Settle(ctx context.Context) error {
	return f.each(func(n *remoteNode) error { return n.settle(ctx, settleTime) })
}

// each does something with all nodes at the same time.
func (f *Fleet) each(do func(*remoteNode) error) error {
	errs := make([]error, len(f.nodes))
	var doing sync.WaitGroup
	for i, n := range f.nodes[1:] {
		doing.Go(func() { errs[i] = do(n) })
	}
	doing.Wait()
	return errors.Join(errs...)
}

// changed says that some node has come further.
func (f *Fleet) changed() {
	s := f.State()
	f.config.Ledger.Elsewhere(s.Taken + s.Told)
	select {
	case f.moved <- struct{}{}:
	default:
	}
}

// Close ends all session nodes, after a last look at what they have done. One that does not end
// within seconds, or before ctx ends, is killed.
func (f *Fleet) Close(ctx context.Context) {
	f.end()
	f.looking.Wait()
	_ = f.each(func(n *remoteNode) error { // One that does not answer was seen a moment ago.
		if n.settle(ctx, lastTime) == nil {
			return nil
		}
		return n.see(ctx, lastTime)
	})
	ctx, cancel := context.WithTimeout(ctx, killTime)
	defer cancel()
	f.children.Close(ctx)
}
