// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sessions

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/time/rate"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/mailbox"
)

// maxWriteTime is how long a client may take for one message.
const maxWriteTime = 5 * time.Second

// How fast a client may send frames. Those beyond wait, unread.
const (
	framesPerSecond = 5
	framesAtOnce    = 20
)

// WebSockets returns what takes the WebSocket of one client of ?guild=N, and returns when
// the connection has ended. With &since=SEQ the client gets all messages after that
// number. What it sends goes through the door. A page may open one only at the host and
// port that it came from.
func (s *Service) WebSockets(door chat.Door) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, door) })
}

func (s *Service) serve(w http.ResponseWriter, r *http.Request, door chat.Door) {
	if !s.enter() {
		http.Error(w, ErrClosed.Error(), http.StatusServiceUnavailable)
		return
	}
	defer s.clients.Done()
	guild, since, err := wanted(r.URL.Query())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	conn, err := websocket.Accept(w, r, nil) // From our own page, or no page at all.
	if err != nil {
		return // Accept has answered.
	}
	conn.SetReadLimit(chat.MaxFrame)
	ctx, gone := context.WithCancel(r.Context())
	var reading sync.WaitGroup
	defer reading.Wait()
	defer conn.CloseNow() //nolint:errcheck // Closed properly below; this is for early returns.
	defer gone()
	reading.Go(func() {
		defer gone()
		s.read(ctx, conn, door(guild))
	})
	session, err := s.Connect(ctx, guild, since, s.forwardTo(conn))
	if err == nil {
		select {
		case <-ctx.Done(): // The client has gone.
			session.Kill()
			<-session.Done()
			return
		case <-session.Done():
			err = session.Err()
		}
	}
	if ctx.Err() == nil {
		_ = conn.Close(s.farewell(ctx, err))
	}
}

// read has the frames of a client taken, one after another, and answers, until the
// connection ends.
func (s *Service) read(ctx context.Context, conn *websocket.Conn, take chat.Frames) {
	pace := rate.NewLimiter(framesPerSecond, framesAtOnce)
	for {
		kind, data, err := conn.Read(ctx)
		if err != nil {
			return
		}
		if kind != websocket.MessageText {
			_ = conn.Close(websocket.StatusUnsupportedData, "frames are of text")
			return
		}
		if answer := take(ctx, data); answer != nil && s.write(ctx, conn, answer) != nil {
			return
		}
		if pace.Wait(ctx) != nil {
			return
		}
	}
}

func wanted(q url.Values) (guild, since int64, err error) {
	if guild, err = strconv.ParseInt(q.Get("guild"), 10, 64); err != nil {
		return 0, 0, errors.New("guild must be a number: /ws?guild=1")
	}
	if !q.Has("since") {
		return guild, Live, nil
	}
	if since, err = strconv.ParseInt(q.Get("since"), 10, 64); err != nil || since < 0 {
		return 0, 0, errors.New("since must be the number of a message, or 0: /ws?guild=1&since=0")
	}
	return guild, since, nil
}

// farewell says why a session has ended: by err, or because the service shuts down.
func (s *Service) farewell(ctx context.Context, err error) (websocket.StatusCode, string) {
	switch {
	case s.closing.Err() != nil:
		return websocket.StatusGoingAway, ErrClosed.Error()
	case errors.Is(err, chat.ErrUnknownGuild):
		return websocket.StatusPolicyViolation, "there is no such guild"
	case errors.Is(err, chat.ErrBehind):
		return websocket.StatusTryAgainLater, "you cannot keep up: go on with since=, the number of your last message"
	}
	s.notices.Do(func() { s.log.WarnContext(ctx, "a session ended", slog.Any("error", err)) })
	return websocket.StatusTryAgainLater, "the session ended: go on with since=, the number of your last message"
}

// forwardTo returns the handler of a session whose client is at conn.
func (s *Service) forwardTo(conn *websocket.Conn) mailbox.Handler[chat.Event] {
	return func(ctx context.Context, e chat.Event) error {
		ctx, span := s.tracer.Start(ctx, "websocket write") // Silent unless this session was sampled.
		defer span.End()
		return s.write(ctx, conn, chat.Encode(e))
	}
}

// write writes a frame, in the time that there is for one.
func (s *Service) write(ctx context.Context, conn *websocket.Conn, data []byte) error {
	writing, cancel := context.WithTimeout(ctx, s.writeTime)
	defer cancel()
	err := conn.Write(writing, websocket.MessageText, data)
	if errors.Is(writing.Err(), context.DeadlineExceeded) { // Which has ended the connection.
		return fmt.Errorf("%w: a message took more than %v", chat.ErrBehind, s.writeTime)
	}
	return err
}
