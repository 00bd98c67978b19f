// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"github.com/coder/websocket"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/examples/guild/internal/sessions"
)

// Sockets are clients with WebSockets.
type Sockets struct {
	addr    string
	running sync.WaitGroup
	cancel  context.CancelFunc
	ctx     context.Context //nolint:containedctx // Ends all clients.
	http    *http.Client
	failure failure
}

// NewSockets makes clients of the sessions at addr, HOST:PORT, which stay until Close:
// they are to get what is on its way when a run ends.
func NewSockets(ctx context.Context, addr string) *Sockets {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	return &Sockets{addr: addr, ctx: ctx, cancel: cancel, http: &http.Client{Transport: &http.Transport{}}}
}

// Connect connects a client.
func (s *Sockets) Connect(ctx context.Context, c *Client) error {
	conn, err := s.open(ctx, c)
	if err != nil {
		return err
	}
	s.running.Go(func() { s.follow(conn, c) })
	return nil
}

func (s *Sockets) open(ctx context.Context, c *Client) (*websocket.Conn, error) {
	url := fmt.Sprintf("ws://%s/ws?guild=%d", s.addr, c.Guild)
	if since := c.Since(); since > sessions.Live {
		url += fmt.Sprintf("&since=%d", since)
	}
	conn, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: s.http}) //nolint:bodyclose // Dial does.
	if err != nil {
		return nil, fmt.Errorf("connect a WebSocket client: %w", err)
	}
	return conn, nil
}

// follow hands what comes to the client, and opens a new connection when one ends.
func (s *Sockets) follow(conn *websocket.Conn, c *Client) {
	for {
		lost, err := s.read(conn, c)
		_ = conn.CloseNow() // It only ends.
		if err != nil {
			s.failure.set(fmt.Errorf("a WebSocket client: %w", err))
			return
		}
		if websocket.CloseStatus(lost) == websocket.StatusGoingAway {
			return
		}
		conn = nil
		for b := new(backoff); conn == nil; {
			if !b.pause(s.ctx) {
				return
			}
			conn, _ = s.open(s.ctx, c) // What is lacking in the end, the ledger tells.
		}
	}
}

// read hands what comes to the client until the connection is lost, or what comes
// is wrong.
func (s *Sockets) read(conn *websocket.Conn, c *Client) (lost, wrong error) {
	for {
		_, data, err := conn.Read(s.ctx)
		if err != nil {
			return err, nil
		}
		e, err := chat.Decode(data)
		if err == nil {
			err = c.Take(s.ctx, e)
		}
		if err != nil {
			return nil, err
		}
	}
}

// Close disconnects all and returns what went wrong.
func (s *Sockets) Close() error {
	s.cancel()
	s.running.Wait()
	s.http.CloseIdleConnections()
	return s.failure.get()
}
