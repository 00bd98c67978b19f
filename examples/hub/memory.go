// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net"
	"sync"

	hub "github.com/waybill-go/waybill/examples/hub/after"
)

// memory is the connection of a client in memory, for hubs with more clients than a machine
// has ports. All of the hub's code serves it; only the socket is missing.
type memory struct {
	joined func()       // called when the client is in the hub
	take   func([]byte) // called with each message; a slow client takes its time
	says   chan []byte

	closing sync.Once
	closed  chan struct{}
	why     error // why it is closed
}

var _ hub.Conn = (*memory)(nil)

func newMemory(joined func(), take func([]byte)) *memory {
	return &memory{joined: sync.OnceFunc(joined), take: take, says: make(chan []byte), closed: make(chan struct{})}
}

// Read waits until the client says something.
func (m *memory) Read(context.Context) ([]byte, error) {
	m.joined()
	select {
	case text := <-m.says:
		return text, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

// Write gives the client a message.
func (m *memory) Write(_ context.Context, text []byte) error {
	select {
	case <-m.closed:
		return net.ErrClosed
	default:
		m.take(text)
		return nil
	}
}

// Close closes the connection.
func (m *memory) Close(why error) error {
	m.closing.Do(func() {
		m.why = why
		close(m.closed)
	})
	return nil
}
