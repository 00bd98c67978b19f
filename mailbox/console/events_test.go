// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox/console"
)

// pipes is a listener whose connections are in memory, so that their time-outs are of the
// time of the bubble.
type pipes struct {
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.accepted:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error { p.once.Do(func() { close(p.closed) }); return nil }

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

// serve starts a server, and returns a client that reaches only that. Both end with the
// test.
func serve(t *testing.T, server *http.Server) *http.Client {
	t.Helper()
	listener := &pipes{accepted: make(chan net.Conn), closed: make(chan struct{})}
	var done sync.WaitGroup
	done.Go(func() { assert.ErrorIs(t, server.Serve(listener), http.ErrServerClosed) })
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		select {
		case listener.accepted <- theirs:
			return ours, nil
		case <-listener.closed:
			return nil, net.ErrClosed
		}
	}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		assert.NoError(t, server.Close())
		done.Wait()
	})
	return &http.Client{Transport: transport}
}

// watcher reads a stream of events. Their data are lists.
type watcher struct {
	mu     sync.Mutex
	events []string
	beats  int
	ended  bool
	status int
}

// watch begins to read. It ends with ctx, or when the stream ends.
func watch(ctx context.Context, t *testing.T, client *http.Client, query string) *watcher {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/api/traces/events?"+query, nil)
	require.NoError(t, err)
	w := &watcher{}
	go func() {
		response, err := client.Do(r)
		if err != nil {
			w.note(func() { w.ended = true })
			return
		}
		defer response.Body.Close()
		w.note(func() { w.status = response.StatusCode })
		w.read(response.Body)
	}()
	return w
}

func (w *watcher) note(what func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	what()
}

func (w *watcher) read(body io.Reader) {
	lines := bufio.NewReader(body)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			w.note(func() { w.ended = true })
			return
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			w.note(func() { w.events = append(w.events, data) })
		} else if strings.HasPrefix(line, ":") {
			w.note(func() { w.beats++ })
		}
	}
}

// last returns the names of the last list, and the number of lists so far.
func (w *watcher) last(t *testing.T) ([]string, int) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.events) == 0 {
		return nil, 0
	}
	return names(readList(t, []byte(w.events[len(w.events)-1]))), len(w.events)
}

func (w *watcher) hasEnded() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ended
}

func TestEventsFollowTheTraces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		con := console.New(console.Config{})
		tracer := program(t, con, "chat")
		span(tracer, "GET /a", time.Millisecond)
		client := serve(t, &http.Server{Handler: con, ReadTimeout: time.Second, WriteTimeout: time.Second, IdleTimeout: time.Second})
		ctx, cancel := context.WithCancel(t.Context())
		w := watch(ctx, t, client, "name=GET")
		synctest.Wait()
		shown, n := w.last(t)
		assert.Equal(t, []string{"GET /a"}, shown)
		assert.Equal(t, 1, n)

		time.Sleep(time.Hour) // The time-outs of the server are long over.
		synctest.Wait()
		assert.False(t, w.hasEnded())
		_, n = w.last(t)
		assert.Equal(t, 1, n)
		assert.Equal(t, 240, w.beats) // one in 15 s

		span(tracer, "GET /b", time.Millisecond)
		synctest.Wait()
		shown, _ = w.last(t)
		assert.Equal(t, []string{"GET /b", "GET /a"}, shown)

		time.Sleep(time.Second)
		span(tracer, "POST /c", time.Millisecond) // What is not asked for makes no event.
		time.Sleep(time.Second)
		synctest.Wait()
		_, n = w.last(t)
		assert.Equal(t, 2, n)

		cancel()
		synctest.Wait()
		assert.True(t, w.hasEnded())
	})
}

func TestEventsAreAtMostTwoASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		con := console.New(console.Config{})
		tracer := program(t, con, "chat")
		client := serve(t, &http.Server{Handler: con})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w := watch(ctx, t, client, "limit=3")
		for range 1000 {
			span(tracer, "GET /a", time.Millisecond)
			time.Sleep(10 * time.Millisecond)
		}
		span(tracer, "last", time.Millisecond)
		time.Sleep(time.Second)
		synctest.Wait()
		shown, n := w.last(t)
		assert.Equal(t, []string{"last", "GET /a", "GET /a"}, shown)
		assert.InDelta(t, 21, n, 2)
	})
}

func TestStreamsEndWithTheConsole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		con := console.New(console.Config{})
		client := serve(t, &http.Server{Handler: con})
		w := watch(t.Context(), t, client, "")
		synctest.Wait()
		require.False(t, w.hasEnded())
		require.NoError(t, con.Shutdown(t.Context()))
		synctest.Wait()
		assert.True(t, w.hasEnded())

		again := get(t, con, "/api/traces/events")
		assert.Equal(t, http.StatusServiceUnavailable, again.Code)
		errorText(t, again)
		assert.Equal(t, http.StatusOK, get(t, con, "/api/traces").Code)
	})
}

// TestStreamsEndWithTheServer checks that the shutdown of a server does not wait for pages
// that watch, and that it is nothing to the pages of another server.
func TestStreamsEndWithTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		con := console.New(console.Config{})
		one, other := &http.Server{Handler: con}, &http.Server{Handler: con}
		ofOne, ofOther := watch(t.Context(), t, serve(t, one), ""), watch(t.Context(), t, serve(t, other), "")
		synctest.Wait()
		begin := time.Now()
		require.NoError(t, one.Shutdown(t.Context()))
		assert.Less(t, time.Since(begin), 2*time.Second) // Shutdown looks again from time to time.
		synctest.Wait()
		assert.True(t, ofOne.hasEnded())
		assert.False(t, ofOther.hasEnded())
		require.NoError(t, con.Shutdown(t.Context()))
	})
}

func TestStreamsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		con := console.New(console.Config{})
		client := serve(t, &http.Server{Handler: con})
		ctx, cancel := context.WithCancel(t.Context())
		for range 32 {
			watch(ctx, t, client, "")
		}
		synctest.Wait()
		w := get(t, con, "/api/traces/events")
		assert.Equal(t, http.StatusServiceUnavailable, w.Code)
		assert.NotEmpty(t, w.Header().Get("Retry-After"))
		errorText(t, w)

		cancel()
		synctest.Wait()
		fresh := watch(t.Context(), t, client, "")
		synctest.Wait()
		assert.False(t, fresh.hasEnded())
		require.NoError(t, con.Shutdown(t.Context()))
	})
}

func TestBrowsersThatDoNotReadAreGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		con := console.New(console.Config{})
		tracer := program(t, con, "chat")
		ours, theirs := net.Pipe() // It has no buffer: what is sent waits for its reader.
		listener := &pipes{accepted: make(chan net.Conn, 1), closed: make(chan struct{})}
		listener.accepted <- theirs
		server := &http.Server{Handler: con}
		var done sync.WaitGroup
		done.Go(func() { assert.ErrorIs(t, server.Serve(listener), http.ErrServerClosed) })
		_, err := io.WriteString(ours, "GET /api/traces/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
		require.NoError(t, err)
		for range 100 {
			span(tracer, "GET /a", time.Millisecond) // It does not wait either.
		}
		time.Sleep(time.Minute)
		begin := time.Now()
		require.NoError(t, server.Shutdown(t.Context()))
		assert.Less(t, time.Since(begin), 2*time.Second)
		require.NoError(t, ours.Close())
		done.Wait()
	})
}

// unflushable is a writer of a handler that keeps answers until they end.
type unflushable struct{ http.ResponseWriter }

func TestHandlersThatKeepAnswers(t *testing.T) {
	con := console.New(console.Config{})
	w := httptest.NewRecorder()
	con.ServeHTTP(unflushable{w}, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/traces/events", nil))
	assert.Equal(t, http.StatusNotImplemented, w.Code)
	errorText(t, w)
}

func TestHeadOfEvents(t *testing.T) {
	w := ask(t, console.New(console.Config{}), http.MethodHead, "/api/traces/events")
	assert.Equal(t, http.StatusOK, w.Code)
	assert.Equal(t, "text/event-stream", w.Header().Get("Content-Type"))
	assert.Empty(t, w.Body.String())
}

// TestHammer has spans, pages and the end of streams at the same time, for the race detector.
func TestHammer(t *testing.T) {
	con := console.New(console.Config{Bytes: 1})
	tracer := program(t, con, "chat")
	var work, streams sync.WaitGroup
	for range 4 {
		work.Go(func() {
			for range 500 {
				span(tracer, "GET /a", time.Millisecond)
			}
		})
		work.Go(func() {
			for range 50 {
				list(t, con, "name=GET&limit=10")
				get(t, con, "/api/about")
				assert.NoError(t, con.MetricReader().Shutdown(t.Context()))
			}
		})
		streams.Go(func() { get(t, con, "/api/traces/events") })
	}
	work.Go(func() { assert.NoError(t, con.Shutdown(t.Context())) })
	work.Wait()
	streams.Wait()
	assert.Equal(t, http.StatusServiceUnavailable, get(t, con, "/api/traces/events").Code)
}
