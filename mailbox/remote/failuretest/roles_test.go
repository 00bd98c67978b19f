// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package failuretest_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

// roles are what a program can be.
var roles = map[string]func(context.Context, *inside) error{
	"server":   runServer,
	"sink":     runSink,
	"source":   runSource,
	"guild":    runGuild,
	"sessions": runSessions,
	"worker":   runWorker,
	"owner":    runOwner,
}

// grace is how long a program may take to shut down.
const grace = 5 * time.Second

// order is the message of the tests of plain sends and calls.
type order struct {
	Seq  int64
	Text string `json:",omitzero"`
}

// orders is how orders are written.
var orders = remote.Protocol[any]{
	Codec: remote.Variants(map[string]any{"order": order{}, "ask": ask{}}),
	Calls: []remote.CallType[any]{
		remote.Answered[any](func(a *ask) *mailbox.Reply[int64] { return &a.reply }, nil),
	},
}

// ask is answered with the number of the last order.
type ask struct{ reply mailbox.Reply[int64] }

// runServer is a server of NATS.
func runServer(_ context.Context, p *inside) error {
	s, err := natstest.Run(natstest.Options{Port: p.Port, JetStream: p.Dir != "", StoreDir: p.Dir})
	if err != nil {
		return err
	}
	defer s.Stop()
	return p.serve(nil)
}

// node is a node of this program, with its connection.
type node struct {
	*remote.Node

	sys   *mailbox.System
	close func() error
}

// newNode makes one. Its close ends everything, in time.
func newNode(p *inside) (*node, error) {
	conn, err := natstest.Connect(p.URL)
	if err != nil {
		return nil, err
	}
	sys := mailbox.NewSystem(mailbox.WithLogger(nil))
	n, err := remote.NewNode(sys, conn, remote.WithID(p.Name), remote.WithLogger(nil))
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &node{n, sys, func() error {
		defer conn.Close()
		ctx, cancel := context.WithTimeout(context.Background(), grace)
		defer cancel()
		return errors.Join(n.Close(ctx), sys.Shutdown(ctx))
	}}, nil
}

// stats is what a node has counted.
type stats struct {
	Node   remote.Stats
	System mailbox.Stats
	Group  remote.GroupStats
}

func (n *node) stats() report {
	text, err := json.Marshal(stats{Node: n.Stats(), System: n.sys.Stats()})
	if err != nil {
		panic(err)
	}
	return report{Text: string(text)}
}

// runSink serves a process that says what it handles.
func runSink(_ context.Context, p *inside) (err error) {
	n, err := newNode(p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.close()) }()
	var last int64
	sink, err := mailbox.Spawn(n.sys, "sink", func(_ context.Context, message any) error {
		switch m := message.(type) {
		case order:
			last = m.Seq
			p.say(report{What: "handled", Seq: m.Seq})
		case ask:
			m.reply.Answer(last)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if _, err := remote.Serve(n.Node, "sink", sink, orders); err != nil {
		return err
	}
	if err := n.Conn().Flush(); err != nil {
		return err
	}
	return p.serve(map[string]func() report{"stats": n.stats})
}

// source sends orders, and asks in between.
type source struct {
	p    *inside
	node *node
	to   mailbox.Ref[any]
	sent atomic.Int64
	end  context.CancelFunc
	work sync.WaitGroup
}

// askTimeout is how long a source waits for an answer.
const askTimeout = time.Second

// runSource sends orders until it is told to stop.
func runSource(ctx context.Context, p *inside) (err error) {
	n, err := newNode(p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.close()) }()
	to, err := remote.NewRef(n.Node, "sink", "sink", orders)
	if err != nil {
		return err
	}
	s := &source{p: p, node: n, to: to}
	ctx, s.end = context.WithCancel(ctx)
	defer s.work.Wait()
	defer s.end()
	s.work.Go(func() { s.send(ctx) })
	s.work.Go(func() { s.asking(ctx) })
	return p.serve(map[string]func() report{"stats": n.stats, "stop": s.stop})
}

func (s *source) send(ctx context.Context) {
	ticker := time.NewTicker(s.p.Interval)
	defer ticker.Stop()
	for seq := int64(1); ; seq++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := s.to.Send(ctx, order{Seq: seq}); err != nil {
			return
		}
		s.sent.Store(seq)
	}
}

// asking makes one call after the other, and says how each of them ended.
func (s *source) asking(ctx context.Context) {
	for ctx.Err() == nil {
		begin := time.Now()
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		_, err := mailbox.Call(ctx, s.to, func(r mailbox.Reply[int64]) any { return ask{r} })
		cancel()
		r := report{What: "asked", N: time.Since(begin).Nanoseconds()}
		if err != nil {
			r.Text = err.Error()
		}
		s.p.say(r)
		time.Sleep(s.p.Interval)
	}
}

// stop ends the sending, and says how many orders were sent, when the connection has them all.
func (s *source) stop() report {
	s.end()
	s.work.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := s.to.Stop(ctx); err != nil {
		return report{Text: err.Error()}
	}
	if err := s.node.Conn().FlushWithContext(ctx); err != nil {
		return report{Text: err.Error()}
	}
	return report{N: s.sent.Load()}
}
