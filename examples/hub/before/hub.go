// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package hub passes on what each client says to all clients.
package hub

import (
	"context"
	"errors"
	"sync"
)

// Why the hub drops a client.
var (
	ErrSlow   = errors.New("the client cannot keep up")
	ErrClosed = errors.New("the hub is closed")
)

// queue is how many messages may wait for a client.
const queue = 16

// Conn is the connection of a client. Its methods are called at the same time.
type Conn interface {
	// Read waits for what the client says next.
	Read(ctx context.Context) ([]byte, error)
	// Write writes a message to the client.
	Write(ctx context.Context, text []byte) error
	// Close closes the connection, so that Read returns an error.
	Close(why error) error
}

// message is what goes through the channels.
type message = []byte

type client struct {
	send chan message // The hub closes it.
	why  error        // why it is closed
}

// drop makes the client's connection close.
func (c *client) drop(why error) {
	c.why = why
	close(c.send)
}

// Hub has clients. Make one with [New].
type Hub struct {
	register   chan *client
	unregister chan *client
	broadcast  chan message
	done       chan struct{}
}

// New makes a hub.
func New() *Hub {
	return &Hub{
		register:   make(chan *client),
		unregister: make(chan *client),
		broadcast:  make(chan message),
		done:       make(chan struct{}),
	}
}

// Run passes messages on until ctx ends, and drops all clients then.
func (h *Hub) Run(ctx context.Context) {
	clients := make(map[*client]bool)
	for {
		select {
		case c := <-h.register:
			clients[c] = true
		case c := <-h.unregister:
			if clients[c] {
				delete(clients, c)
				c.drop(nil)
			}
		case m := <-h.broadcast:
			for c := range clients {
				select {
				case c.send <- m:
				default:
					delete(clients, c)
					c.drop(ErrSlow)
				}
			}
		case <-ctx.Done():
			close(h.done)
			for c := range clients {
				c.drop(ErrClosed)
			}
			return
		}
	}
}

// Serve makes conn a client of the hub. It returns when the connection is closed.
func (h *Hub) Serve(ctx context.Context, conn Conn) {
	c := &client{send: make(chan message, queue)}
	if !h.give(h.register, c) {
		_ = conn.Close(ErrClosed)
		return
	}
	var writer sync.WaitGroup
	writer.Go(func() { c.write(ctx, conn) })
	for {
		text, err := conn.Read(ctx)
		if err != nil || !h.say(ctx, text) {
			break
		}
	}
	h.give(h.unregister, c)
	writer.Wait()
}

// say passes on what a client says. It returns false if the hub is closed.
func (h *Hub) say(ctx context.Context, text []byte) bool {
	select {
	case h.broadcast <- text:
		return true
	case <-h.done:
	case <-ctx.Done():
	}
	return false
}

// write writes to conn until the hub drops the client.
func (c *client) write(ctx context.Context, conn Conn) {
	for m := range c.send {
		if err := conn.Write(ctx, m); err != nil {
			_ = conn.Close(err) // So that the client leaves the hub.
		}
	}
	_ = conn.Close(c.why)
}

// give gives c to the hub, and returns false if that is closed.
func (h *Hub) give(to chan<- *client, c *client) bool {
	select {
	case to <- c:
		return true
	case <-h.done:
		return false
	}
}
