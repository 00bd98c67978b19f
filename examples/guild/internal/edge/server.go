// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// Bounds of what one who connects may take. Those of net/http are none: a request
// that never ends, or a connection that says nothing, stays for ever.
const (
	maxConnections = 4096
	maxWebSockets  = 256      // each takes up to some 130 kB while its client does not read, and 64 kB for a frame
	maxHeader      = 16 << 10 // bytes

	sendBuffer = 64 << 10 // bytes that the system holds for a client that does not read; else megabytes

	headerTime = 2 * time.Second  // until a request's headers are there
	readTime   = 3 * time.Second  // until its body is there as well
	writeTime  = 30 * time.Second // from its headers until its answer is taken
	idleTime   = 20 * time.Second // from one request to the next
	graceTime  = 3 * time.Second  // for requests that have begun, when we end
)

// Server answers HTTP within bounds. A WebSocket is bounded like every request until
// its handler takes over the connection, and then by its handler alone; it goes on
// counting as a connection.
type Server struct {
	http  http.Server
	log   *slog.Logger
	conns int
	grace time.Duration
}

// NewServer makes one that answers by h, and tells log what goes wrong with
// connections.
func NewServer(h http.Handler, log *slog.Logger) *Server {
	return &Server{
		http: http.Server{
			Handler:           h,
			ReadHeaderTimeout: headerTime,
			ReadTimeout:       readTime,
			WriteTimeout:      writeTime,
			IdleTimeout:       idleTime,
			MaxHeaderBytes:    maxHeader,
			ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		},
		log:   log,
		conns: connections(),
		grace: graceTime,
	}
}

// connections returns how many a server may have. The other half of the descriptors is
// for our own files and connections.
func connections() int { return min(maxConnections, descriptors()/2) }

// WebSockets returns a handler that lets h have so many connections that clients who
// do not read take bounded memory, and no more than three in four of those that a
// [Server] may have, and refuses more: those who stay must leave room for those who
// only post.
func WebSockets(h http.Handler) http.Handler {
	return atMost(min(maxWebSockets, connections()*3/4), h)
}

func atMost(n int, h http.Handler) http.Handler {
	room := make(chan struct{}, n)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case room <- struct{}{}:
			defer func() { <-room }()
			h.ServeHTTP(w, r)
		default:
			w.Header().Set("Retry-After", "10")
			w.Header().Set("Connection", "close") // Or those we refuse would be as many.
			http.Error(w, "there are too many connections", http.StatusServiceUnavailable)
		}
	})
}

// Handler returns what answers the requests.
func (s *Server) Handler() http.Handler { return s.http.Handler }

// Serve answers on listener until Shutdown. At the bound of connections, new ones
// wait for others to end.
func (s *Server) Serve(listener net.Listener) error {
	return s.http.Serve(netutil.LimitListener(smallBuffers{listener}, s.conns))
}

// smallBuffers bounds what the system holds for each connection.
type smallBuffers struct{ net.Listener }

// Accept implements net.Listener.
func (l smallBuffers) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(sendBuffer) // It is a bound only.
	}
	return conn, err
}

// Shutdown finishes the requests that have begun, and cuts off those that take too
// long for it: those who send them do not decide when we end. It returns the error
// of ctx if that ended before.
func (s *Server) Shutdown(ctx context.Context) error {
	grace, cancel := context.WithTimeout(ctx, s.grace)
	defer cancel()
	err := s.http.Shutdown(grace)
	if grace.Err() == nil || !errors.Is(err, grace.Err()) {
		return err
	}
	s.log.WarnContext(ctx, "requests were cut off, since they did not end in time", slog.Duration("time", s.grace))
	return errors.Join(ctx.Err(), s.http.Close())
}
