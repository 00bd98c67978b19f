// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	hub "github.com/waybill-go/waybill/examples/hub/after"
	"github.com/waybill-go/waybill/sampling/fanout"
)

// start runs a hub with a door, and returns a function that connects with headers. The
// function returns the status of the answer, and no connection unless there is one.
func start(t *testing.T) (d *door, dial func(http.Header) (*websocket.Conn, int)) {
	t.Helper()
	chat, err := fanout.New("chat")
	require.NoError(t, err)
	h := hub.New(chat)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		h.Run(ctx)
	}()
	d, url, err := open(ctx, h)
	require.NoError(t, err)
	t.Cleanup(func() {
		stop()
		assert.NoError(t, d.close())
		<-ended
	})
	return d, func(headers http.Header) (*websocket.Conn, int) {
		conn, response, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{HTTPHeader: headers}) //nolint:bodyclose // Dial does.
		require.NotNil(t, response, err)
		if conn != nil {
			t.Cleanup(func() { _ = conn.CloseNow() })
			_, text, err := conn.Read(t.Context())
			require.NoError(t, err)
			assert.Equal(t, welcome, string(text))
		}
		return conn, response.StatusCode
	}
}

func TestWhatClientsMayNotDo(t *testing.T) {
	for _, test := range []struct {
		name string
		kind websocket.MessageType
		text string
		want websocket.StatusCode
	}{
		{"binary", websocket.MessageBinary, "hello", websocket.StatusUnsupportedData},
		{"too long", websocket.MessageText, strings.Repeat("x", maxMessage+1), websocket.StatusMessageTooBig},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, dial := start(t)
			conn, _ := dial(nil)
			require.NoError(t, conn.Write(t.Context(), test.kind, []byte(test.text)))
			_, _, err := conn.Read(t.Context())
			assert.Equal(t, test.want, websocket.CloseStatus(err), err)
		})
	}
}

func TestWhoIsNotLetIn(t *testing.T) {
	d, dial := start(t)
	_, status := dial(http.Header{"Origin": {"https://elsewhere.example"}})
	assert.Equal(t, http.StatusForbidden, status)

	for range cap(d.room) {
		d.room <- struct{}{}
	}
	_, status = dial(nil)
	assert.Equal(t, http.StatusServiceUnavailable, status)
	for range cap(d.room) {
		<-d.room
	}
	_, status = dial(nil)
	assert.Equal(t, http.StatusSwitchingProtocols, status)
}

// Clients are told why their connection is closed.
func TestFarewell(t *testing.T) {
	for why, want := range map[error]websocket.StatusCode{
		hub.ErrSlow:          websocket.StatusTryAgainLater,
		hub.ErrClosed:        websocket.StatusGoingAway,
		errText:              websocket.StatusUnsupportedData,
		errors.New("broken"): -1, // They cannot be told.
	} {
		closed := make(chan error, 1)
		server := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conn, err := websocket.Accept(w, r, nil)
			if err == nil {
				err = (&socket{conn: conn}).Close(why)
			}
			closed <- err
		})
		conn := dialTo(t, server)
		_, _, err := conn.Read(t.Context())
		assert.Equal(t, want, websocket.CloseStatus(err), why)
		require.NoError(t, <-closed)
	}
}

func dialTo(t *testing.T, h http.Handler) *websocket.Conn {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	conn, _, err := websocket.Dial(t.Context(), server.URL, nil) //nolint:bodyclose // Dial does.
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}
