// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package natstest_test

import (
	"os"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

// patience is how long a test waits for what must happen, on a machine that is busy with others.
const patience = 20 * time.Second

// poll is how long a test waits between two looks.
const poll = 5 * time.Millisecond

func TestServerPassesMessagesOn(t *testing.T) {
	s := natstest.Start(t, natstest.Options{})
	got := subscribe(t, s.Conn(t), "greetings")
	require.NoError(t, s.Conn(t).Publish("greetings", []byte("hello")))
	assert.Equal(t, "hello", receive(t, got))
}

// After a restart the server is at the same address, with what JetStream stored, and clients
// come back without help.
func TestServerRestarts(t *testing.T) {
	s := natstest.Start(t, natstest.Options{JetStream: true})
	conn := s.Conn(t)
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders"}})
	require.NoError(t, err)
	_, err = js.Publish(t.Context(), "orders", []byte("kept"))
	require.NoError(t, err)
	url := s.URL()

	s.Stop()
	s.Stop()
	assert.Nil(t, s.Server())
	_, err = nats.Connect(url)
	require.Error(t, err)

	s.Restart(t)
	assert.Equal(t, url, s.URL())
	// Not IsConnected: the client may not have noticed yet that the server was away.
	require.Eventually(t, func() bool { return conn.Stats().Reconnects == 1 && conn.IsConnected() }, patience, poll)
	stream, err := js.Stream(t.Context(), "ORDERS")
	require.NoError(t, err)
	stored, err := stream.GetMsg(t.Context(), 1)
	require.NoError(t, err)
	assert.Equal(t, "kept", string(stored.Data))
}

// The store is gone and nothing runs when the test that started the server has ended.
func TestNothingIsLeftAfterATest(t *testing.T) {
	before := goleak.IgnoreCurrent()
	var dir string
	t.Run("server", func(t *testing.T) {
		s := natstest.Start(t, natstest.Options{JetStream: true, Change: func(o *server.Options) { dir = o.StoreDir }})
		link := natstest.NewLink(t, s.Addr())
		conn := link.Conn(t)
		js, err := jetstream.New(conn)
		require.NoError(t, err)
		_, err = js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "owners"})
		require.NoError(t, err)
		link.Hang()
	})
	goleak.VerifyNone(t, before)
	require.NotEmpty(t, dir)
	_, err := os.Stat(dir)
	assert.ErrorIs(t, err, os.ErrNotExist)
}

// subscribe returns what arrives on a subject, as text.
func subscribe(t *testing.T, conn *nats.Conn, subject string) <-chan string {
	t.Helper()
	got := make(chan string, 4096)
	_, err := conn.Subscribe(subject, func(m *nats.Msg) { got <- string(m.Data) })
	require.NoError(t, err)
	require.NoError(t, conn.Flush())
	return got
}

// receive waits for the next message.
func receive(t *testing.T, got <-chan string) string {
	t.Helper()
	select {
	case text := <-got:
		return text
	case <-time.After(patience):
		require.Fail(t, "nothing arrived")
		return ""
	}
}
