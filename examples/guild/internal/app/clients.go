// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
)

// clients are real WebSocket clients of the session service. Each checks that
// it gets every message after its first exactly once and in order.
type clients struct {
	received atomic.Int64
	reading  sync.WaitGroup
	cancel   context.CancelFunc
	ctx      context.Context //nolint:containedctx // Ends all clients.
	http     *http.Client

	mu  sync.Mutex
	err error // the first
}

func newClients(ctx context.Context) *clients {
	ctx, cancel := context.WithCancel(ctx)
	return &clients{ctx: ctx, cancel: cancel, http: &http.Client{Transport: &http.Transport{}}}
}

// dial connects one more client to a guild.
func (c *clients) dial(wsAddr string, guild int) error {
	url := fmt.Sprintf("ws://%s/ws?guild=%d", wsAddr, guild)
	conn, _, err := websocket.Dial(c.ctx, url, &websocket.DialOptions{HTTPClient: c.http}) //nolint:bodyclose // Dial does.
	if err != nil {
		return fmt.Errorf("connect a WebSocket client: %w", err)
	}
	c.reading.Go(func() {
		defer conn.CloseNow() //nolint:errcheck // It only ends.
		if err := c.read(conn); err != nil && c.ctx.Err() == nil {
			c.fail(err)
		}
	})
	return nil
}

func (c *clients) read(conn *websocket.Conn) error {
	last := int64(0)
	for {
		var m chat.MessageCreate
		err := wsjson.Read(c.ctx, conn, &m)
		if websocket.CloseStatus(err) == websocket.StatusGoingAway {
			return nil
		} else if err != nil {
			return fmt.Errorf("a WebSocket client lost its connection: %w", err)
		}
		if last != 0 && m.Seq != last+1 {
			return fmt.Errorf("a WebSocket client of guild %d got message %d after %d", m.Guild, m.Seq, last)
		}
		last = m.Seq
		c.received.Add(1)
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
