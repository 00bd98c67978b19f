// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sessions

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/examples/guild/internal/guilds"
	"github.com/waybill-go/waybill/mailbox"
)

// writeTimeout is how long a client may take for one message.
const writeTimeout = 5 * time.Second

// ServeHTTP implements http.Handler: it takes the WebSocket of one client of
// ?guild=N, and returns when the connection has ended. A page may open one only at
// the host and port that it came from.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.sockets.Add(1)
	defer s.sockets.Done()
	guild, err := strconv.ParseInt(r.URL.Query().Get("guild"), 10, 64)
	if err != nil {
		http.Error(w, "guild must be a number: /ws?guild=1", http.StatusBadRequest)
		return
	}
	conn, err := websocket.Accept(w, r, nil) // From our own page, or no page at all.
	if err != nil {
		return // Accept has answered.
	}
	defer conn.CloseNow() //nolint:errcheck // Closed properly below; this is for early returns.
	ctx := conn.CloseRead(r.Context())
	session, err := s.Connect(ctx, guild, s.forwardTo(conn))
	if err != nil {
		if errors.Is(err, guilds.ErrUnknown) {
			_ = conn.Close(websocket.StatusPolicyViolation, "there is no such guild")
			return
		}
		s.log.WarnContext(ctx, "a session did not start", slog.Any("error", err))
		_ = conn.Close(websocket.StatusTryAgainLater, "the session did not start")
		return
	}
	select {
	case <-ctx.Done(): // The client has gone.
		session.Kill()
		<-session.Done()
	case <-session.Done(): // It was too slow, or we are closing.
		_ = conn.Close(websocket.StatusGoingAway, "session ended")
	}
}

// forwardTo returns the handler of a session whose client is at conn.
func (s *Service) forwardTo(conn *websocket.Conn) mailbox.Handler[chat.Event] {
	return func(ctx context.Context, e chat.Event) error {
		ctx, span := s.tracer.Start(ctx, "websocket write") // Silent unless this session was chosen.
		defer span.End()
		ctx, cancel := context.WithTimeout(ctx, writeTimeout)
		defer cancel()
		return wsjson.Write(ctx, conn, e)
	}
}
