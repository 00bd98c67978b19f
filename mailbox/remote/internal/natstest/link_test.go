// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package natstest_test

import (
	"io"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

// quiet is how long nothing may arrive over a link that hangs.
const quiet = 50 * time.Millisecond

// A link that is cut resets the connections it has and the new ones, until it is healed.
func TestLinkCuts(t *testing.T) {
	s := natstest.Start(t, natstest.Options{})
	link := natstest.NewLink(t, s.Addr())
	conn := link.Conn(t)
	got := subscribe(t, conn, "news")

	link.Cut()
	require.Eventually(t, func() bool { return !conn.IsConnected() }, patience, poll)
	tried := link.Accepted()
	require.Eventually(t, func() bool { return link.Accepted() > tried+1 }, patience, poll)
	assert.False(t, conn.IsConnected())

	link.Heal()
	require.Eventually(t, conn.IsConnected, patience, poll)
	require.NoError(t, conn.Flush()) // The subscription has been made again.
	require.NoError(t, s.Conn(t).Publish("news", []byte("back")))
	assert.Equal(t, "back", receive(t, got))
}

// A link that hangs loses nothing, and neither end notices.
func TestLinkHangs(t *testing.T) {
	s := natstest.Start(t, natstest.Options{})
	link := natstest.NewLink(t, s.Addr())
	conn := link.Conn(t)
	got := subscribe(t, conn, "news")

	link.Hang()
	other := s.Conn(t)
	const messages = 100
	for i := range messages {
		require.NoError(t, other.Publish("news", []byte(strconv.Itoa(i))))
	}
	require.NoError(t, other.Flush())
	select {
	case text := <-got:
		require.Fail(t, "a message went over a link that hangs", text)
	case <-time.After(quiet):
	}
	assert.True(t, conn.IsConnected())

	link.Heal()
	for i := range messages {
		assert.Equal(t, strconv.Itoa(i), receive(t, got))
	}
	assert.Equal(t, uint64(0), conn.Stats().Reconnects)
}

func TestLinkDelays(t *testing.T) {
	s := natstest.Start(t, natstest.Options{})
	link := natstest.NewLink(t, s.Addr())
	conn := link.Conn(t)
	const delay = 30 * time.Millisecond
	link.Delay(delay)
	begin := time.Now()
	require.NoError(t, conn.Flush())
	assert.GreaterOrEqual(t, time.Since(begin), 2*delay)
}

// A throttled link lets through what it should in the time it should take, and no more than
// the network holds besides.
func TestLinkThrottles(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	const size, rate = 20_000, 100_000
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			_, _ = conn.Write(make([]byte, size))
			_ = conn.Close()
		}
	}()
	link := natstest.NewLink(t, listener.Addr().String())
	link.Throttle(rate)
	begin := time.Now()
	conn, err := net.Dial("tcp", link.Addr())
	require.NoError(t, err)
	defer conn.Close()
	got, err := io.ReadAll(conn)
	require.NoError(t, err) // An end as it should be, not a reset.
	assert.Len(t, got, size)
	assert.GreaterOrEqual(t, time.Since(begin), time.Second*size/rate)
}

// What a client wrote before it closed the connection arrives.
func TestLinkPassesOnTheEnd(t *testing.T) {
	s := natstest.Start(t, natstest.Options{})
	link := natstest.NewLink(t, s.Addr())
	got := subscribe(t, s.Conn(t), "news")
	conn := link.Conn(t)
	const messages = 1000
	for i := range messages {
		require.NoError(t, conn.Publish("news", []byte(strconv.Itoa(i))))
	}
	conn.Close()
	for i := range messages {
		assert.Equal(t, strconv.Itoa(i), receive(t, got))
	}
}
