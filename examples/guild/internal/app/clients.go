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
	"github.com/coder/websocket/wsjson"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/examples/guild/internal/sessions"
)

// clients are real WebSocket clients of the session service, and what they
// received.
type clients struct {
	tally   sessions.Tally
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

// dial connects one more client to a guild, and returns when it is in.
func (c *clients) dial(ctx context.Context, wsAddr string, guild int) error {
	url := fmt.Sprintf("ws://%s/ws?guild=%d", wsAddr, guild)
	conn, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: c.http}) //nolint:bodyclose // Dial does.
	if err != nil {
		return fmt.Errorf("connect a WebSocket client: %w", err)
	}
	var ready chat.Ready
	if err = wsjson.Read(ctx, conn, &ready); err != nil {
		_ = conn.CloseNow()
		return fmt.Errorf("connect a WebSocket client: %w", err)
	}
	c.reading.Go(func() {
		defer conn.CloseNow() //nolint:errcheck // It only ends.
		if err := c.read(conn, c.tally.Track(ready.Last)); err != nil && c.ctx.Err() == nil {
			c.fail(err)
		}
	})
	return nil
}

// read takes messages until the connection ends.
func (c *clients) read(conn *websocket.Conn, track *sessions.Track) error {
	for {
		var m chat.MessageCreate
		err := wsjson.Read(c.ctx, conn, &m)
		if websocket.CloseStatus(err) == websocket.StatusGoingAway {
			return nil
		} else if err != nil {
			return fmt.Errorf("a WebSocket client lost its connection: %w", err)
		}
		track.Got(m.Seq)
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
