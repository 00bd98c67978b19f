// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package edge_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/examples/guild/internal/edge"
)

const (
	patience = time.Minute            // bounds every wait; none is expected to take it
	short    = 500 * time.Millisecond // what the server under test has for everything
	never    = time.Hour
)

// serve runs a server that reads each request's body, and returns its address.
func serve(t *testing.T, h http.Handler, times, grace time.Duration, conns int) (s *edge.Server, addr string, log *bytes.Buffer) {
	t.Helper()
	log = new(bytes.Buffer)
	s = edge.NewServer(h, slog.New(slog.NewTextHandler(log, nil)))
	s.Hurry(times, grace, conns)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	t.Cleanup(func() {
		_ = s.Shutdown(context.Background())
		assert.ErrorIs(t, <-served, http.ErrServerClosed)
	})
	return s, listener.Addr().String(), log
}

var readBody = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		http.Error(w, "the body did not arrive", http.StatusBadRequest)
	}
})

// trickle sends the beginning of a request whose body does not end.
func trickle(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nx")
	require.NoError(t, err)
	return conn
}

func post(t *testing.T, addr string) (int, error) {
	t.Helper()
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Post("http://"+addr, "", bytes.NewReader(make([]byte, 1000)))
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// Neither bodies that trickle, nor headers, nor connections that say nothing keep
// others out for longer than their time.
func TestSlowClientsMakeRoom(t *testing.T) {
	const conns = 4
	for name, begin := range map[string]string{
		"body":    "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nx",
		"header":  "POST / HTTP/1.1\r\nHo",
		"silence": "",
		"idle":    "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, addr, _ := serve(t, readBody, short, never, conns)
			for range 2 * conns {
				conn, err := net.Dial("tcp", addr)
				require.NoError(t, err)
				t.Cleanup(func() { _ = conn.Close() })
				_, err = io.WriteString(conn, begin)
				require.NoError(t, err)
			}
			status, err := post(t, addr)
			require.NoError(t, err)
			assert.Equal(t, http.StatusOK, status)
		})
	}
}

// There are no more connections at a time than there may be.
func TestConnectionsAreBounded(t *testing.T) {
	const conns = 3
	_, addr, _ := serve(t, readBody, never, 0, conns)
	ask := func(conn net.Conn, within time.Duration) error {
		require.NoError(t, conn.SetDeadline(time.Now().Add(within)))
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			return err
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return err
		}
		return resp.Body.Close()
	}
	open := make([]net.Conn, conns+1)
	for i := range open {
		var err error
		open[i], err = net.Dial("tcp", addr)
		require.NoError(t, err)
		t.Cleanup(func() { _ = open[i].Close() })
		if i < conns {
			require.NoError(t, ask(open[i], patience))
		}
	}
	require.Error(t, ask(open[conns], short))
	require.NoError(t, open[0].Close())
	require.NoError(t, ask(open[conns], patience))
}

// Who does not end a request does not decide when we end.
func TestShutdownDoesNotWaitForTrickles(t *testing.T) {
	began := make(chan struct{}, 100)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began <- struct{}{}
		readBody(w, r)
	})
	s, addr, log := serve(t, h, never, short, 1000)
	for range cap(began) {
		trickle(t, addr)
	}
	for range cap(began) {
		<-began
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, s.Shutdown(ctx))
	assert.Contains(t, log.String(), "cut off")
}

// What has begun and ends in time is answered.
func TestShutdownFinishesWhatHasBegun(t *testing.T) {
	began, finish := make(chan struct{}), make(chan struct{})
	h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(began); <-finish })
	s, addr, log := serve(t, h, never, never, 10)
	answered := make(chan int, 1)
	go func() {
		status, _ := post(t, addr)
		answered <- status
	}()
	<-began
	ended := make(chan error, 1)
	go func() { ended <- s.Shutdown(t.Context()) }()
	close(finish)
	assert.Equal(t, http.StatusOK, <-answered)
	require.NoError(t, <-ended)
	assert.Empty(t, log.String())
}

// The times of requests are not those of the WebSockets that some of them become.
func TestWebSocketsOutliveTheTimesOfRequests(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer conn.CloseNow() //nolint:errcheck // It only ends.
		for err == nil {
			var data []byte
			if _, data, err = conn.Read(r.Context()); err == nil {
				err = conn.Write(r.Context(), websocket.MessageText, data)
			}
		}
	})
	_, addr, _ := serve(t, h, short, 0, 10)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	conn, _, err := websocket.Dial(ctx, "ws://"+addr, &websocket.DialOptions{HTTPClient: client}) //nolint:bodyclose // Dial does.
	require.NoError(t, err)
	defer conn.CloseNow()                                                           //nolint:errcheck // It only ends.
	for begun := time.Now(); time.Since(begun) < 5*short/2; time.Sleep(short / 4) { // An answer has twice as long.
		require.NoError(t, conn.Write(ctx, websocket.MessageText, []byte("x")))
		_, _, err = conn.Read(ctx)
		require.NoError(t, err)
	}
	_ = conn.Close(websocket.StatusNormalClosure, "")
}

// Those who stay leave room for others, and are refused beyond that.
func TestThoseWhoStayLeaveRoom(t *testing.T) {
	const room = 3
	stay, leave := make(chan struct{}, room), make(chan struct{})
	h := edge.AtMost(room, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		stay <- struct{}{}
		<-leave
	}))
	ask := func() int {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		return w.Code
	}
	codes := make(chan int, room)
	for range room {
		go func() { codes <- ask() }()
		<-stay
	}
	assert.Equal(t, http.StatusServiceUnavailable, ask())
	leave <- struct{}{}
	assert.Equal(t, http.StatusOK, <-codes)
	go func() { codes <- ask() }()
	<-stay
	close(leave)
	for range room {
		assert.Equal(t, http.StatusOK, <-codes)
	}
}
