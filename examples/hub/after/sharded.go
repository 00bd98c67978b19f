// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package hub

import (
	"context"
	"slices"
	"sync"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/sampling/fanout"
)

// RunSharded is [Hub.Run] with the clients divided among several goroutines. The hub knows
// how many clients each of them has, and gives it a part of the broadcast for so many.
func (h *Hub) RunSharded(ctx context.Context, shards int) {
	var running sync.WaitGroup
	all := make([]*shard, max(shards, 1))
	for i := range all {
		all[i] = &shard{register: make(chan *client), unregister: make(chan *client), parts: make(chan part)}
		running.Go(all[i].run)
	}
	of := make(map[*client]*shard)
	for {
		select {
		case c := <-h.register:
			s := slices.MinFunc(all, func(a, b *shard) int { return a.size - b.size })
			s.register <- c
			of[c] = s
			s.size++
		case c := <-h.unregister:
			s := of[c]
			s.unregister <- c
			delete(of, c)
			s.size--
		case m := <-h.broadcast:
			ctx, text := m.Unwrap(ctx)
			b := h.chat.Begin(ctx, len(of))
			for _, s := range all {
				s.parts <- part{b.Part(s.size), text}
			}
			b.End()
		case <-ctx.Done():
			close(h.done)
			for _, s := range all {
				close(s.parts)
			}
			running.Wait()
			return
		}
	}
}

// shard is one of the goroutines that share the clients of a hub.
type shard struct {
	size                 int // clients, as the hub counts them
	register, unregister chan *client
	parts                chan part
}

// part is the part of a broadcast that goes to the clients of one shard.
type part struct {
	*fanout.Broadcast

	text []byte
}

// run passes messages on until the hub closes parts. A client that is dropped is counted
// until it has left the hub.
func (s *shard) run() {
	clients := make(map[*client]bool) // False: it is dropped, and about to leave.
	drop := func(c *client, why error) {
		if clients[c] {
			clients[c] = false
			c.drop(why)
		}
	}
	for {
		select {
		case c := <-s.register:
			clients[c] = true
		case c := <-s.unregister:
			drop(c, nil)
			delete(clients, c)
		case p, open := <-s.parts:
			if !open {
				for c := range clients {
					drop(c, ErrClosed)
				}
				return
			}
			for c, in := range clients {
				e := envelope.New(p.text, p.Next())
				switch {
				case !in:
					p.Refuse(fanout.Stopped)
				case !c.offer(e):
					p.Refuse(fanout.Full)
					drop(c, ErrSlow)
				}
			}
			p.End()
		}
	}
}

// offer sends m if there is room for it.
func (c *client) offer(m message) bool {
	select {
	case c.send <- m:
		return true
	default:
		return false
	}
}
