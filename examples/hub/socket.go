// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/time/rate"

	hub "github.com/waybill-go/waybill/examples/hub/after"
)

// Bounds of what a client may take. They bound the memory of the hub too.
const (
	maxClients = 1000
	maxMessage = 4 << 10 // bytes
	maxHeader  = 16 << 10

	perSecond = 5 // messages of one client
	burst     = 20

	headerTime = 2 * time.Second  // until the headers of a request are there
	writeTime  = 5 * time.Second  // until a client has taken a message
	pingEvery  = 30 * time.Second // so that a client that has vanished is noticed
)

// welcome is the first message to a client. From then on it gets every message.
const welcome = "welcome"

var errText = errors.New("a message must be text")

// door lets clients into a hub by WebSocket.
type door struct {
	hub    *hub.Hub
	room   chan struct{} // has one for each client that is inside
	server *http.Server
}

// open lets clients in on a free port of this machine, and returns the URL.
func open(ctx context.Context, h *hub.Hub) (*door, string, error) {
	d := &door{hub: h, room: make(chan struct{}, maxClients)}
	mux := http.NewServeMux()
	mux.Handle("GET /chat", d)
	d.server = &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: headerTime, ReadTimeout: headerTime, WriteTimeout: writeTime, IdleTimeout: pingEvery,
		MaxHeaderBytes: maxHeader,
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	go d.server.Serve(listener) //nolint:errcheck // It returns when the door is closed.
	return d, "ws://" + listener.Addr().String() + "/chat", nil
}

// close lets nobody in any more, and waits until the clients have left. The hub must end, so
// that they do.
func (d *door) close() error {
	err := d.server.Close()
	for range cap(d.room) {
		d.room <- struct{}{}
	}
	return err
}

// ServeHTTP implements http.Handler. The clients are strangers, so no header of theirs is
// read: each message begins a trace of ours. The handler is not instrumented, because a span
// of the connection would last as long as the connection.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case d.room <- struct{}{}:
		defer func() { <-d.room }()
	default:
		w.Header().Set("Connection", "close")
		http.Error(w, "there are too many clients", http.StatusServiceUnavailable)
		return
	}
	conn, err := websocket.Accept(w, r, nil) // From our own page, or from no page at all.
	if err != nil {
		return // Accept has answered.
	}
	defer conn.CloseNow() //nolint:errcheck // The hub has closed it.
	conn.SetReadLimit(maxMessage)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	s := &socket{conn: conn, says: rate.NewLimiter(perSecond, burst)}
	go s.keepAlive(ctx)
	d.hub.Serve(ctx, s)
}

// socket is the WebSocket of a client, within bounds.
type socket struct {
	conn    *websocket.Conn
	says    *rate.Limiter
	greeted bool
}

var _ hub.Conn = (*socket)(nil)

// Read waits for a message. A client that says more than it may is read more slowly. When it
// is read for the first time, it is in the hub, and is told so.
func (s *socket) Read(ctx context.Context) ([]byte, error) {
	if !s.greeted {
		s.greeted = true
		if err := s.Write(ctx, []byte(welcome)); err != nil {
			return nil, err
		}
	}
	if err := s.says.Wait(ctx); err != nil {
		return nil, err
	}
	kind, text, err := s.conn.Read(ctx)
	if err == nil && kind != websocket.MessageText {
		err = errText
		_ = s.Close(err)
	}
	return text, err
}

// Write writes a message. If that takes too long, the connection is closed.
func (s *socket) Write(ctx context.Context, text []byte) error {
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	return s.conn.Write(ctx, websocket.MessageText, text)
}

// Close tells the client why, if it can be told.
func (s *socket) Close(why error) error {
	switch {
	case errors.Is(why, hub.ErrSlow):
		return s.conn.Close(websocket.StatusTryAgainLater, why.Error())
	case errors.Is(why, hub.ErrClosed):
		return s.conn.Close(websocket.StatusGoingAway, why.Error())
	case errors.Is(why, errText):
		return s.conn.Close(websocket.StatusUnsupportedData, why.Error())
	}
	return s.conn.CloseNow()
}

// keepAlive closes the connection if the client does not answer.
func (s *socket) keepAlive(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pingEvery):
		}
		ctx, cancel := context.WithTimeout(ctx, writeTime)
		if s.conn.Ping(ctx) != nil {
			_ = s.conn.CloseNow()
		}
		cancel()
	}
}
