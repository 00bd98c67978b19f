// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sessions_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/examples/guild/internal/sessions"
)

// dialer connects WebSocket clients to a world.
type dialer struct {
	t    *testing.T
	ctx  context.Context
	addr string
}

func newDialer(t *testing.T, w *world) dialer {
	t.Helper()
	server := httptest.NewServer(w.WebSockets(echo))
	t.Cleanup(server.Close)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return dialer{t, ctx, server.URL}
}

func (d dialer) dial(query string) *websocket.Conn {
	d.t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	conn, _, err := websocket.Dial(d.ctx, d.addr+"?"+query, &websocket.DialOptions{HTTPClient: client}) //nolint:bodyclose // Dial does.
	require.NoError(d.t, err)
	d.t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

// read hands events to c until the connection ends, or c has message number last.
func (d dialer) read(conn *websocket.Conn, c *client, last int64) error {
	d.t.Helper()
	for c.last < last {
		_, data, err := conn.Read(d.ctx)
		if err != nil {
			return err
		}
		e, err := chat.Decode(data)
		require.NoError(d.t, err)
		require.NoError(d.t, c.take(d.ctx, e))
		require.NoError(d.t, c.wrong)
	}
	return nil
}

// echo answers frames with the guild and what they say, and not at all to those that say
// nothing.
func echo(guild int64) chat.Frames {
	return func(_ context.Context, frame []byte) []byte {
		if len(frame) == 0 {
			return nil
		}
		return fmt.Appendf(nil, "%d: %s", guild, frame)
	}
}

// What a client sends goes through the door, and the answer comes back among the messages.
func TestFramesGoThroughTheDoor(t *testing.T) {
	w := newWorld(t, 10)
	d := newDialer(t, w)
	conn := d.dial("guild=1&since=0")
	conn.SetReadLimit(-1)
	read := func() string {
		_, data, err := conn.Read(d.ctx)
		require.NoError(t, err)
		return string(data)
	}
	assert.Contains(t, read(), `"ready"`)
	require.NoError(t, conn.Write(d.ctx, websocket.MessageText, nil))
	require.NoError(t, conn.Write(d.ctx, websocket.MessageText, []byte("hello")))
	assert.Equal(t, "1: hello", read())
	w.post(1, "x")
	assert.Contains(t, read(), `"content":"x"`)
	require.NoError(t, conn.Write(d.ctx, websocket.MessageText, []byte(strings.Repeat("a", chat.MaxFrame))))
	assert.Len(t, read(), chat.MaxFrame+len("1: "), "the largest that there may be")
	require.NoError(t, conn.Close(websocket.StatusNormalClosure, ""))
}

// What no client of ours sends ends the connection.
func TestFramesThatAreNoneEndTheConnection(t *testing.T) {
	w := newWorld(t, 10)
	d := newDialer(t, w)
	for _, tt := range []struct {
		kind websocket.MessageType
		data string
		why  websocket.StatusCode
	}{
		{websocket.MessageBinary, "hello", websocket.StatusUnsupportedData},
		{websocket.MessageText, strings.Repeat("a", chat.MaxFrame+1), websocket.StatusMessageTooBig},
	} {
		conn := d.dial("guild=1")
		_, _, err := conn.Read(d.ctx)
		require.NoError(t, err)
		require.NoError(t, conn.Write(d.ctx, tt.kind, []byte(tt.data)))
		for err == nil {
			_, _, err = conn.Read(d.ctx)
		}
		assert.Equal(t, tt.why, websocket.CloseStatus(err), "%v", err)
	}
}

// Who sends frames faster than a person waits: the frames beyond are not taken.
func TestFramesAreTakenAtAPace(t *testing.T) {
	w := newWorld(t, 10)
	taken := make(chan time.Time, 1000)
	server := httptest.NewServer(w.WebSockets(func(int64) chat.Frames {
		return func(context.Context, []byte) []byte { taken <- time.Now(); return nil }
	}))
	t.Cleanup(server.Close)
	d := newDialer(t, w)
	d.addr = server.URL
	conn := d.dial("guild=1")
	const frames = sessions.FramesAtOnce + 5
	begun := time.Now()
	for range frames {
		require.NoError(t, conn.Write(d.ctx, websocket.MessageText, []byte("x")))
	}
	var last time.Time
	for range frames {
		last = <-taken
	}
	// However slow the machine: not sooner than the pace allows.
	assert.GreaterOrEqual(t, last.Sub(begun), 3*time.Second/sessions.FramesPerSecond)
}

// A client that does not read for a while is told to come back, and then has every
// message.
func TestAClientThatPausesComesBackAndHasEverything(t *testing.T) {
	w := newWorld(t, 100_000)
	w.SetWriteTime(patience)
	d := newDialer(t, w)
	conn := d.dial("guild=1")
	_, data, err := conn.Read(d.ctx)
	require.NoError(t, err)
	var ready chat.Ready
	require.NoError(t, json.Unmarshal(data, &ready))
	posted := 1
	for long := strings.Repeat("long ", 400); w.post(1, long) == 0; { // Until the buffers of both sides are full.
		posted++
	}
	w.post(50, "x")
	posted += 50

	c := newClient(0)
	err = d.read(conn, c, int64(posted))
	require.Equal(t, websocket.StatusTryAgainLater, websocket.CloseStatus(err), "%v", err)
	assert.Less(t, c.last, int64(posted))
	assert.ErrorContains(t, err, "since=")
	conn = d.dial(fmt.Sprintf("guild=1&since=%d", c.last))
	require.NoError(t, d.read(conn, c, int64(posted)))
	w.post(1, "x")
	require.NoError(t, d.read(conn, c, int64(posted+1)))
	assert.EqualValues(t, 1, w.Tally.Counts().Behind)
	require.NoError(t, conn.Close(websocket.StatusNormalClosure, ""))
}

// A client that does not read at all is let go of.
func TestAClientThatNeverReadsIsLetGo(t *testing.T) {
	w := newWorld(t, 10)
	w.SetWriteTime(10 * time.Millisecond)
	d := newDialer(t, w)
	conn := d.dial("guild=1&since=0")
	for long := strings.Repeat("long ", 400); w.Tally.Counts().Behind == 0; {
		w.post(1, long)
		require.NoError(t, d.ctx.Err())
	}
	var err error
	for err == nil { // It gets what is in the buffers.
		_, _, err = conn.Read(d.ctx)
	}
	require.NoError(t, d.ctx.Err())
}

func TestWhatIsAskedFor(t *testing.T) {
	w := newWorld(t, 10)
	d := newDialer(t, w)
	for _, query := range []string{"", "guild=x", "guild=1&since=", "guild=1&since=-1", "guild=1&since=x", "guild=1&since=1e3"} {
		resp := httptest.NewRecorder()
		w.WebSockets(echo).ServeHTTP(resp, httptest.NewRequest(http.MethodGet, "/ws?"+query, nil))
		assert.Equal(t, http.StatusBadRequest, resp.Code, query)
	}
	for _, query := range []string{"guild=2", "guild=2&since=0"} {
		_, _, err := d.dial(query).Read(d.ctx)
		assert.Equal(t, websocket.StatusPolicyViolation, websocket.CloseStatus(err), query)
	}
	conn := d.dial("guild=1")
	_, _, err := conn.Read(d.ctx)
	require.NoError(t, err)
	go w.Shutdown(d.ctx) //nolint:errcheck // And again by the cleanup.
	_, _, err = conn.Read(d.ctx)
	assert.Equal(t, websocket.StatusGoingAway, websocket.CloseStatus(err))
}
