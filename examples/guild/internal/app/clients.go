// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/coder/websocket"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
)

// clients are real WebSocket clients of the session service.
type clients struct {
	reading sync.WaitGroup
	cancel  context.CancelFunc
	ctx     context.Context //nolint:containedctx // Ends all clients.
	http    *http.Client

	mu  sync.Mutex
	err error // the first
}

// newClients makes clients that stay until close, for they are to get what is on
// its way when a run ends.
func newClients(ctx context.Context) *clients {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	return &clients{ctx: ctx, cancel: cancel, http: &http.Client{Transport: &http.Transport{}}}
}

// dial connects one more client.
func (c *clients) dial(ctx context.Context, addr string, to *client) error {
	url := fmt.Sprintf("ws://%s/ws?guild=%d", addr, to.guild)
	conn, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: c.http}) //nolint:bodyclose // Dial does.
	if err != nil {
		return fmt.Errorf("connect a WebSocket client: %w", err)
	}
	c.reading.Go(func() {
		defer conn.CloseNow() //nolint:errcheck // It only ends.
		if err := c.read(conn, to); err != nil && c.ctx.Err() == nil {
			c.fail(err)
		}
	})
	return nil
}

// read hands what comes to the client until the connection ends.
func (c *clients) read(conn *websocket.Conn, to *client) error {
	for {
		_, data, err := conn.Read(c.ctx)
		if websocket.CloseStatus(err) == websocket.StatusGoingAway {
			return nil
		} else if err != nil {
			return fmt.Errorf("a WebSocket client lost its connection: %w", err)
		}
		e, err := chat.Decode(data)
		if err == nil {
			err = to.take(c.ctx, e)
		}
		if err != nil {
			return fmt.Errorf("a WebSocket client: %w", err)
		}
	}
}

func (c *clients) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = errors.Join(c.err, err)
}

// close disconnects all and returns what went wrong.
func (c *clients) close() error {
	c.cancel()
	c.reading.Wait()
	c.http.CloseIdleConnections()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}
