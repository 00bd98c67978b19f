// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/examples/guild/internal/load"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
)

const (
	connecting = 16                    // clients at a time
	connectFor = 2 * time.Minute       // until one gives up
	retryAfter = 50 * time.Millisecond // where a guild was out of reach
	settleLook = 5 * time.Millisecond
	graceTime  = 500 * time.Millisecond // for clients that are just connecting, when the node ends
)

// control is where a session node is told what to do, and says what it has done.
type control struct {
	*sessionNode

	ctx      context.Context //nolint:containedctx // Ends what was asked for.
	end      context.CancelFunc
	stopping atomic.Bool // Nothing more is begun.
	working  sync.WaitGroup

	mu      sync.Mutex
	failure error
}

func serveControl(n *sessionNode) (*control, error) {
	c := &control{sessionNode: n}
	c.ctx, c.end = context.WithCancel(context.Background())
	process, err := mailbox.Spawn(n.sys, sessionNodeKind, c.handle)
	if err == nil {
		_, err = remote.Serve(n.node, n.Link.on(controlName(n.Number)), process, nodeProtocol())
	}
	return c, err
}

// handle does at once what it is told, or begins with it.
func (c *control) handle(ctx context.Context, m nodeRequest) error {
	switch m := m.(type) {
	case Connect:
		c.working.Go(func() { c.connect(m.Clients) })
		m.Reply.Answer(true)
	case Look:
		m.Reply.Answer(c.state())
	case Settle:
		c.working.Go(func() { answer(m.Reply)(c.settle()) })
	case Follow:
		if err := c.sampling.Set(m.Sampling); err != nil {
			c.log.WarnContext(ctx, "the tracing is as it was", slog.Any("error", err))
		}
	}
	return nil
}

// connect connects clients.
func (c *control) connect(all Clients) {
	running, ctx := errgroup.WithContext(c.ctx)
	running.SetLimit(connecting)
	for i := all.First; i < all.End && ctx.Err() == nil && !c.stopping.Load(); i += all.Step {
		client := all.client(i, c.ledger)
		running.Go(func() error { return c.connectOne(ctx, client) })
	}
	if err := running.Wait(); err != nil && c.ctx.Err() == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.failure = err
	}
}

// connectOne connects a client, as soon as its guild is within reach.
func (c *control) connectOne(ctx context.Context, client *load.Client) error {
	ctx, cancel := context.WithTimeout(ctx, connectFor)
	defer cancel()
	for {
		err := c.simulated.Connect(ctx, client)
		if !errors.Is(err, chat.ErrAway) {
			return err
		}
		select {
		case <-time.After(retryAfter):
		case <-ctx.Done():
			return err
		}
	}
}

// state says what the node has done so far.
func (c *control) state() State {
	reached := c.ledger.Reached() // First, so that what they have taken is not less than this says.
	s := State{
		Joined: c.ledger.Joined(), Taken: c.ledger.Taken(), Told: c.ledger.Told(), Reached: reached,
		Connected: c.sessions.Connected(), Sessions: c.sessions.Tally.Counts(),
		Traffic: TrafficOf(c.sessions.Stats()), Exports: c.tel.Exports(),
		Sampling: c.sampling.Config(),
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := errors.Join(c.failure, c.simulated.Err(), s.Sessions.Err()); err != nil {
		s.Failure = Name(c.Number) + ": " + err.Error()
	}
	return s
}

// settle waits until nothing is on its way within the node, and exports all spans.
func (c *control) settle() (State, error) {
	ctx, cancel := context.WithTimeout(c.ctx, settleTime)
	defer cancel()
	for !c.atRest() {
		select {
		case <-time.After(settleLook):
		case <-ctx.Done():
			return State{}, errors.New("messages did not come to rest")
		}
	}
	if err := c.tel.Flush(ctx); err != nil {
		return State{}, err
	}
	s := c.state()
	s.Latency = c.sessions.Latency.Counts()
	return s, nil
}

func (c *control) atRest() bool {
	for _, n := range []mailbox.Stats{c.sys.Stats(), c.sessions.Stats()} {
		if n.Queued > 0 || n.Waiting > 0 {
			return false
		}
	}
	return c.spans.Open() == 0
}

// close begins nothing more, and gives up what does not end soon.
func (c *control) close() {
	c.stopping.Store(true)
	defer time.AfterFunc(graceTime, c.end).Stop()
	c.working.Wait()
	c.end()
}
