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
	"github.com/waybill-go/waybill/examples/guild/internal/sessions"
	"github.com/waybill-go/waybill/mailbox"
)

// clients are the clients of the session service: real ones, with WebSockets, and
// simulated ones. One whose session ends comes back, and goes on from where it was.
type clients struct {
	services *services
	running  sync.WaitGroup
	cancel   context.CancelFunc
	ctx      context.Context //nolint:containedctx // Ends all clients.
	http     *http.Client

	sys       *mailbox.System
	ends      mailbox.Ref[end]
	returning chan struct{} // holds one for each simulated client that is coming back

	mu  sync.Mutex
	err error
}

// maxReturning is how many simulated clients come back at the same time.
const maxReturning = 64

// newClients makes clients that stay until close, for they are to get what is on
// its way when a run ends.
func newClients(ctx context.Context, s *services) (c *clients, err error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c = &clients{
		services: s, ctx: ctx, cancel: cancel, http: &http.Client{Transport: &http.Transport{}},
		sys: mailbox.NewSystem(), returning: make(chan struct{}, maxReturning),
	}
	c.ends, err = mailbox.Spawn(c.sys, "clients", c.ended)
	return c, err
}

// connect connects a simulated client.
func (c *clients) connect(ctx context.Context, to *client) error {
	session, err := c.services.sessions.Connect(ctx, int64(to.guild), to.since(), to.take)
	if err == nil {
		mailbox.Watch(c.ends, session, func(e mailbox.Termination) end { return end{to, e.Err} })
	}
	return err
}

// end is the end of a simulated client's session.
type end struct {
	of  *client
	err error
}

// ended has a client come back whose session has ended.
func (c *clients) ended(_ context.Context, e end) error {
	switch {
	case errors.Is(e.err, chat.ErrBehind):
		c.returning <- struct{}{}
		c.running.Go(func() {
			c.comeBack(e.of)
			<-c.returning
		})
	case e.err != nil && !errors.Is(e.err, mailbox.ErrKilled):
		c.fail(fmt.Errorf("a client: %w", e.err))
	}
	return nil
}

func (c *clients) comeBack(to *client) {
	for b := new(backoff); b.pause(c.ctx); {
		switch err := c.connect(c.ctx, to); {
		case err == nil, c.ctx.Err() != nil,
			errors.Is(err, sessions.ErrClosed), errors.Is(err, mailbox.ErrStopped): // It is over.
			return
		case !errors.Is(err, chat.ErrBehind):
			c.fail(fmt.Errorf("a client comes back: %w", err))
			return
		}
	}
}

// dial connects a client by a WebSocket.
func (c *clients) dial(ctx context.Context, to *client) error {
	conn, err := c.open(ctx, to)
	if err != nil {
		return err
	}
	c.running.Go(func() { c.follow(conn, to) })
	return nil
}

func (c *clients) open(ctx context.Context, to *client) (*websocket.Conn, error) {
	url := fmt.Sprintf("ws://%s/ws?guild=%d", c.services.apiAddr, to.guild)
	if since := to.since(); since > sessions.Live {
		url += fmt.Sprintf("&since=%d", since)
	}
	conn, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: c.http}) //nolint:bodyclose // Dial does.
	if err != nil {
		return nil, fmt.Errorf("connect a WebSocket client: %w", err)
	}
	return conn, nil
}

// follow hands what comes to the client, and opens a new connection when one ends.
func (c *clients) follow(conn *websocket.Conn, to *client) {
	for {
		lost, err := c.read(conn, to)
		_ = conn.CloseNow() // It only ends.
		if err != nil {
			c.fail(fmt.Errorf("a WebSocket client: %w", err))
			return
		}
		if websocket.CloseStatus(lost) == websocket.StatusGoingAway {
			return
		}
		conn = nil
		for b := new(backoff); conn == nil; {
			if !b.pause(c.ctx) {
				return
			}
			conn, _ = c.open(c.ctx, to) // What is lacking in the end, the ledger tells.
		}
	}
}

// read hands what comes to the client until the connection is lost, or what comes
// is wrong.
func (c *clients) read(conn *websocket.Conn, to *client) (lost, wrong error) {
	for {
		_, data, err := conn.Read(c.ctx)
		if err != nil {
			return err, nil
		}
		e, err := chat.Decode(data)
		if err == nil {
			err = to.take(c.ctx, e)
		}
		if err != nil {
			return nil, err
		}
	}
}

func (c *clients) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil { // The first says most.
		c.err = err
	}
}

// close disconnects all and returns what went wrong.
func (c *clients) close(ctx context.Context) error {
	c.cancel()
	err := c.sys.Shutdown(ctx)
	c.running.Wait()
	c.http.CloseIdleConnections()
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Join(c.err, err)
}
