// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
)

// remoteRecipients is how many recipients a broadcast has on all nodes together.
const remoteRecipients = 10_000

// postsAtOnce is how many posts are on their way at the same time where that is measured. The
// mailbox of a recipient has room for all of them.
const postsAtOnce = 8

// remoteBroadcastRow measures a post to recipients on a number of nodes, for each recipient. A
// sender without recipients is connected as well, so that every post crosses to every node.
// Without more than one post at once, the next one begins when all recipients have handled the
// one before: that is how long the delivery takes.
//
// On the raw side, the sender publishes to one subject. Each node has a subscription, which
// reads the message and hands it to a goroutine with a channel for each recipient.
func remoteBroadcastRow(nodes, posts int, ratios ...ratio) row {
	name, how := "remote-broadcast", "one after the other"
	if posts > 1 {
		name, how = "remote-posts", fmt.Sprintf("%d at once", posts)
	}
	with := func(t tracing) func(int) (*contender, error) {
		return func(size int) (*contender, error) { return ourRemoteBroadcast(nodes, posts, size/posts, t) }
	}
	return row{
		name:  fmt.Sprintf("%s-%d", name, nodes),
		about: fmt.Sprintf("posts to %d recipients on %d nodes over NATS, for each of them; %s", remoteRecipients, nodes, how),
		size:  remoteRecipients * posts, ratios: ratios,
		variants: []variant{
			{raw, func(size int) (*contender, error) { return rawRemoteBroadcast(nodes, posts, size/posts) }},
			{oursUntraced, with(untraced)},
			{oursSampled, with(sampled)},
		},
	}
}

// newPostLatch makes a latch that is open when all recipients have handled a number of posts.
func newPostLatch(recipients, posts int) *latch {
	l := newLatch(recipients)
	for i := range l.shards {
		s := &l.shards[i]
		s.size *= int64(posts)
		s.left.Store(s.size)
	}
	return l
}

// share returns which recipients are on a node.
func share(recipients, nodes, node int) (from, to int) {
	return recipients * node / nodes, recipients * (node + 1) / nodes
}

func rawRemoteBroadcast(nodes, posts, recipients int) (*contender, error) {
	w, err := newWire(1 + nodes)
	if err != nil {
		return nil, err
	}
	l := newPostLatch(recipients, posts)
	var wg sync.WaitGroup
	boxes := make([]chan *remoteMessage, recipients)
	for i := range boxes {
		box, count := make(chan *remoteMessage, recipientCapacity), l.of(i)
		boxes[i] = box
		wg.Go(func() {
			for range box {
				count.take()
			}
		})
	}
	for node := range nodes {
		from, to := share(recipients, nodes, node)
		conn := w.conns[1+node]
		_, err := conn.Subscribe(remoteSubject, func(m *nats.Msg) {
			message := new(remoteMessage)
			if json.Unmarshal(m.Data, message) != nil {
				return
			}
			for _, box := range boxes[from:to] {
				box <- message
			}
		})
		if err := errors.Join(err, conn.Flush()); err != nil {
			return nil, err
		}
	}
	post := func(id int) error {
		data, err := json.Marshal(newRemoteMessage(id))
		if err == nil {
			err = w.conns[0].Publish(remoteSubject, data)
		}
		return err
	}
	ended := closing(boxes, &wg)
	return &contender{
		run:     func(times int) error { return postAll(times, posts, l, post) },
		handled: l.handled,
		tear: func() error {
			w.close()
			return ended()
		},
	}, nil
}

// postAll posts a number of times, each time so many posts, and waits until they are handled.
func postAll(times, posts int, l *latch, post func(id int) error) error {
	for range times {
		for id := range posts {
			if err := post(id); err != nil {
				return err // It would never be handled.
			}
		}
		l.wait()
	}
	return nil
}

func ourRemoteBroadcast(nodes, posts, recipients int, tr tracing) (*contender, error) {
	otel := newTelemetry(tr)
	machines, _, end, err := newMachines(1+nodes, otel)
	if err != nil {
		return nil, err
	}
	l := newPostLatch(recipients, posts)
	groups := make([]*remote.Group[*remoteMessage], len(machines))
	for i, m := range machines {
		groups[i], err = remote.NewGroup(m.node, "recipients", remote.Protocol[*remoteMessage]{})
		if err != nil {
			return nil, err
		}
		if i == 0 {
			continue
		}
		from, to := share(recipients, nodes, i-1)
		if err := joinAll(m, groups[i], l, from, to); err != nil {
			return nil, err
		}
	}
	if err := awaitSize(groups[0], recipients); err != nil {
		return nil, err
	}
	c := &contender{
		run: func(times int) error {
			return postAll(times, posts, l, func(id int) error {
				message := newRemoteMessage(id)
				d := groups[0].Broadcast(otel.ctx, &message)
				if d.Delivered != recipients {
					return fmt.Errorf("%w: %d of %d delivered: %w", errEffect, d.Delivered, recipients, d.Err)
				}
				return nil
			})
		},
		handled: l.handled, tear: end, traces: otel,
	}
	if tr == sampled {
		// The sender's broadcast, the relays of the nodes with a share, their broadcasts, and the
		// recipients that are sampled.
		one := broadcastSpans(recipients)
		c.spans = [2]int{posts * (one[0] + 2), posts * (one[1] + 2*nodes)} //nolint:mnd // As it says.
	}
	return c, nil
}

// joinAll starts recipients on a machine, which join its part of the group.
func joinAll(m machine, group *remote.Group[*remoteMessage], l *latch, from, to int) error {
	kind, err := mailbox.NewKind[*remoteMessage](m.sys, "recipient", mailbox.WithCapacity(recipientCapacity))
	if err != nil {
		return err
	}
	for i := from; i < to; i++ {
		count := l.of(i)
		member, err := kind.Spawn(strconv.Itoa(i), func(context.Context, *remoteMessage) error {
			count.take()
			return nil
		})
		if err := errors.Join(err, group.Join(member)); err != nil {
			return err
		}
	}
	return nil
}

// awaitSize waits until the sender knows all recipients.
func awaitSize(group *remote.Group[*remoteMessage], recipients int) error {
	const poll = time.Millisecond
	for end := time.Now().Add(natsTimeout); group.Size() != recipients; time.Sleep(poll) {
		if time.Now().After(end) {
			return fmt.Errorf("%w: %d of %d recipients known", errEffect, group.Size(), recipients)
		}
	}
	return nil
}
