// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/mailbox/remote/internal/members"
	"github.com/waybill-go/waybill/sampling/fanout"
)

// Delivery is what became of a broadcast to the members on all nodes. Of other nodes, nobody
// here knows more than that the message was handed to the connection: what their members made
// of it, they count themselves ([Group.Stats]).
type Delivery struct {
	Nodes     int // nodes with members when the broadcast began, this one included
	Size      int // members on these nodes, as they have announced them
	Delivered int // members on the nodes to which the message was sent
	Refused   int // members on the nodes to which it could not be sent
	Sampled   int // nodes on which members may be sampled
	// Err says why members were refused: the first reason of several. It is nil if none were.
	Err error
}

// Broadcast sends message to every member on every node that is known. Broadcasts of one
// sender reach each member in their order, except for those that are lost: sending between
// nodes is at most once. Broadcast does not wait for members or for other nodes. It waits for the
// relay of this node, if that has many broadcasts before it ([WithRelayCapacity]), until ctx
// ends.
//
// If the trace in ctx is sampled, the broadcast has a span of kind PRODUCER whose recipients
// are the nodes. How many members are sampled is planned once for all nodes, and shared out
// to them by their sizes. The relay of each node with a share has a span, and so does its
// broadcast. The weights of the members' spans are unbiased, whatever sizes were announced. If the
// trace is not sampled and there is no baggage, the message has no header.
func (g *Group[M]) Broadcast(ctx context.Context, message M) (d Delivery) {
	ctx = header.OrBackground(ctx)
	view, here := g.table.View(), g.local.Len()
	if here > 0 {
		d.Nodes++
	}
	d.Nodes += len(view.Nodes)
	d.Size = here + view.Members
	defer func() { g.counts.broadcast(d) }()
	plan, err := g.plan.load()
	switch {
	case g.over.Load():
		err = g.closedError()
	case d.Nodes == 0:
		return d
	case err == nil:
		err = g.unanswered(message)
	}
	if err != nil {
		d.Refused, d.Err = d.Size, err
		return d
	}
	b := broadcasting{Delivery: &d, node: g.node}
	b.begin(ctx, plan, view, here)
	defer b.end()
	if len(view.Nodes) > 0 {
		g.broadcastNodes(&b, view, message)
	}
	if here > 0 {
		g.broadcastHere(&b, message, here)
	}
	return d
}

// broadcasting is a broadcast on its way.
type broadcasting struct {
	*Delivery

	node   *Node
	fanout fanout.Broadcast
	traced bool

	// What the last node has got: those without the trace get the same.
	header *envelope.Header
	fields nats.Header
}

// begin plans the broadcast: to the other nodes in their order, and then to this one, if it has
// members.
func (b *broadcasting) begin(ctx context.Context, plan *fanout.Fanout, view *members.View, here int) {
	var sizes []int
	if b.traced = header.Traced(ctx); b.traced {
		sizes = make([]int, 0, b.Nodes)
		for i := range view.Nodes {
			sizes = append(sizes, view.Nodes[i].Members)
		}
		if here > 0 {
			sizes = append(sizes, here)
		}
	}
	b.fanout = plan.BeginRelays(ctx, sizes)
}

func (b *broadcasting) end() { b.Sampled = b.fanout.End().Sampled }

// refuse says that a node with so many members has not got the message.
func (b *broadcasting) refuse(size int, err error) {
	b.Refused += size
	if b.Err == nil {
		b.Err = err
	}
}

// broadcastNodes sends the message to the other nodes with members.
func (g *Group[M]) broadcastNodes(b *broadcasting, view *members.View, message M) {
	buffer := buffers.Get().(*[]byte) //nolint:forcetypeassert // The pool holds nothing else.
	defer func() {
		if cap(*buffer) <= maxKept {
			buffers.Put(buffer)
		}
	}()
	data, reason, err := g.write((*buffer)[:0], message, len(view.Nodes))
	if err == nil {
		*buffer = data
	}
	for i := range view.Nodes {
		to := &view.Nodes[i]
		h, reason, err := b.fanout.Next(), reason, err
		if err == nil {
			reason, err = "connection", b.publish(to.Subject, h, data)
		}
		if err == nil {
			b.Delivered += to.Members
			continue
		}
		b.refuse(to.Members, err)
		if b.traced {
			b.fanout.Refuse(reason)
		}
	}
}

// unanswered returns an error if the message holds a Reply.
func (g *Group[M]) unanswered(message M) error {
	t := g.protocol.typeOf(message)
	if !t.undeclared && t.call == nil {
		return nil
	}
	err := fmt.Errorf("remote: group %q: nobody answers a broadcast: %w: %s", g.name, ErrUndeclared, t.name)
	g.node.tell(notWritten, g.subject, err)
	return err
}

// write writes the message, once for all other nodes, of which there are so many.
func (g *Group[M]) write(b []byte, message M, nodes int) (data []byte, reason fanout.Reason, err error) {
	n, counts := g.node, &g.node.tally.Now.NotSent
	if data, err = g.protocol.encode(b, message); err != nil {
		atomic.AddUint64(&counts.Codec, uint64(nodes)) //nolint:gosec // Not negative.
		err = fmt.Errorf("remote: group %q: %w", g.name, err)
		n.tell(notWritten, g.subject, err)
		return nil, codeCodec, err
	}
	if len(data) > n.limits.MaxMessage {
		atomic.AddUint64(&counts.Oversized, uint64(nodes)) //nolint:gosec // Not negative.
		err = &Error{Code: codeOversized, Text: fmt.Sprintf("a message of %d bytes", len(data)), Subject: g.subject}
		n.tell(notWritten, g.subject, err)
		return nil, codeOversized, err
	}
	return data, "", nil
}

// publish sends the message to one node.
func (b *broadcasting) publish(on string, h *envelope.Header, data []byte) error {
	if h != b.header {
		b.header = h
		b.fields = b.node.write((*header.Header)(h), nil)
	}
	if len(b.fields) == 0 {
		return b.node.publish(on, data)
	}
	return b.node.publishMsg(&nats.Msg{Subject: on, Header: b.fields, Data: data})
}

// broadcastHere hands the message to the relay of this node.
func (g *Group[M]) broadcastHere(b *broadcasting, message M, here int) {
	h := (*header.Header)(b.fanout.Next())
	ctx := b.fanout.Context()
	if b.traced {
		ctx = header.Arrive(header.Untraced(ctx), h) // It has the header that was planned for it.
	}
	if err := g.relay.Send(ctx, message); err != nil {
		b.refuse(here, err) // The mailbox has left the late span.
		return
	}
	b.Delivered += here
}

// pass is the handler of the relay: it passes a broadcast on to the members here.
func (g *Group[M]) pass(ctx context.Context, message M) error {
	g.counts.relayed(g.local.Broadcast(ctx, message))
	return nil
}
