// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package failuretest_test

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
)

// post is the message of the tests of broadcasts.
type post struct{ Seq int64 }

// groupStats is what a node has counted, with its part of the group.
func groupStats(n *node, g *remote.Group[post]) func() report {
	return func() report {
		text, err := json.Marshal(stats{Node: n.Stats(), System: n.sys.Stats(), Group: g.Stats()})
		if err != nil {
			panic(err)
		}
		return report{Text: string(text), N: int64(g.Size())}
	}
}

// runSessions has processes join the group, each of which says what it handles.
func runSessions(_ context.Context, p *inside) (err error) {
	n, err := newNode(p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.close()) }()
	group, err := remote.NewGroup(n.Node, "sessions", remote.Protocol[post]{})
	if err != nil {
		return err
	}
	kind, err := mailbox.NewKind[post](n.sys, "session")
	if err != nil {
		return err
	}
	for i := range p.Members {
		id := strconv.Itoa(i)
		member, err := kind.Spawn(id, func(_ context.Context, m post) error {
			p.say(report{What: "handled", Member: id, Seq: m.Seq})
			return nil
		})
		if err != nil {
			return err
		}
		if err := group.Join(member); err != nil {
			return err
		}
	}
	return p.serve(map[string]func() report{"stats": groupStats(n, group)})
}

// runGuild broadcasts until it is told to stop, beginning with the number after p.First. It says
// the number of each broadcast before that begins, and what became of it.
func runGuild(ctx context.Context, p *inside) (err error) {
	n, err := newNode(p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.close()) }()
	group, err := remote.NewGroup(n.Node, "sessions", remote.Protocol[post]{})
	if err != nil {
		return err
	}
	ctx, end := context.WithCancel(ctx)
	var work sync.WaitGroup
	defer work.Wait()
	defer end()
	last, reached := p.First, int64(0)
	work.Go(func() {
		ticker := time.NewTicker(p.Interval)
		defer ticker.Stop()
		for ctx.Err() == nil {
			p.say(report{What: "begun", Seq: last + 1})
			last++
			d := group.Broadcast(ctx, post{Seq: last})
			reached += int64(d.Delivered)
			p.say(report{What: "broadcast", Seq: last, N: int64(d.Delivered)})
			<-ticker.C
		}
	})
	stop := func() report {
		end()
		work.Wait()
		if err := n.Conn().FlushTimeout(grace); err != nil {
			return report{Text: err.Error()}
		}
		return report{Seq: last, N: reached}
	}
	return p.serve(map[string]func() report{"stats": groupStats(n, group), "stop": stop})
}
