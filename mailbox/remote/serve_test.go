// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

// request asks as a program does that has only NATS.
func request(t *testing.T, conn *nats.Conn, on, payload string) *nats.Msg {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	m, err := conn.RequestWithContext(ctx, on, []byte(payload))
	require.NoError(t, err)
	return m
}

// Programs without this library send, are told that a message was taken, and call.
func TestForeignRequester(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	foreign := server.Conn(t)
	serve(t, newMachine(t, server), "orders", orders(), shop())

	taken := request(t, foreign, "orders", `{"type":"place","message":{"Item":"lamp"}}`)
	assert.Empty(t, taken.Data)
	assert.Empty(t, taken.Header)
	answer := request(t, foreign, "orders", `{"type":"count","message":{"Prefix":"la"}}`)
	assert.Equal(t, "1", string(answer.Data))
	assert.Empty(t, answer.Header)

	wrong := request(t, foreign, "orders", `{"type":"cancel"}`)
	assert.Equal(t, "400", wrong.Header.Get("Nats-Service-Error-Code"))
	assert.Contains(t, wrong.Header.Get("Nats-Service-Error"), `unknown type "cancel"`)
	assert.Equal(t, "codec", wrong.Header.Get("waybill-error"))
}

// A caller gets its answer from programs that have only NATS too, and their errors.
func TestForeignServer(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	foreign := server.Conn(t)
	var payload atomic.Value
	_, err := foreign.Subscribe("orders", func(m *nats.Msg) {
		payload.Store(string(m.Data))
		_ = m.Respond([]byte("42"))
	})
	require.NoError(t, err)
	_, err = foreign.Subscribe("broken", func(m *nats.Msg) {
		_ = m.RespondMsg(&nats.Msg{Header: nats.Header{"Nats-Service-Error": {"no lamps"}, "Nats-Service-Error-Code": {"404"}}})
	})
	require.NoError(t, err)
	require.NoError(t, foreign.Flush())
	here := newMachine(t, server)
	n, err := count(t.Context(), refTo(t, here, "orders", orders()), "la")
	require.NoError(t, err)
	assert.Equal(t, 42, n)
	assert.JSONEq(t, `{"type":"count","message":{"Prefix":"la"}}`, payload.Load().(string))

	_, err = count(t.Context(), refTo(t, here, "broken", orders()), "la")
	failed, ok := errors.AsType[*remote.Error](err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, "failed", failed.Code)
	assert.Equal(t, "no lamps", failed.Text)
}

// A queue group shares the messages, and each goes to one of its members.
func TestQueue(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	var got [3]atomic.Uint64
	for i := range got {
		serve(t, newMachine(t, server), "text", text(), func(context.Context, string) error {
			got[i].Add(1)
			return nil
		}, remote.WithQueue("workers"))
	}
	ref := refTo(t, newMachine(t, server), "text", text())
	const messages = 600
	for range messages {
		require.NoError(t, ref.Send(t.Context(), "work"))
	}
	eventually(t, func() bool { return got[0].Load()+got[1].Load()+got[2].Load() == messages })
	for i := range got {
		assert.Positive(t, got[i].Load())
	}
}

// held is a process that takes one message in hand, and lets the others wait in NATS.
func holdText(t *testing.T, m *machine, release <-chan struct{}, handled *atomic.Uint64) *remote.Served {
	t.Helper()
	ref := spawn(t, m, func(context.Context, string) error {
		<-release
		handled.Add(1)
		return nil
	}, mailbox.WithCapacity(1))
	return serveRef(t, m, "text", ref, text())
}

// Close sends what had arrived into the process, and nothing comes after that.
func TestCloseHandlesWhatHasArrived(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	there, conn := newMachine(t, server), server.Conn(t)
	release, handled := make(chan struct{}), new(atomic.Uint64)
	served := holdText(t, there, release, handled)
	const messages = 100
	for range messages {
		require.NoError(t, conn.Publish("text", nil))
	}
	require.NoError(t, conn.Flush())
	closed := make(chan error, 1)
	go func() { closed <- served.Close(t.Context()) }()
	eventually(t, func() bool { return there.node.Stats().Delivered == 2 })
	close(release)
	require.NoError(t, await(t, closed))
	assert.EqualValues(t, messages, there.node.Stats().Delivered)
	require.NoError(t, served.Close(t.Context()), "again")

	_, err := conn.Request("text", nil, patience)
	require.ErrorIs(t, err, nats.ErrNoResponders)
	eventually(t, func() bool { return handled.Load() == messages })
	assert.EqualValues(t, messages, there.node.Stats().Received)
}

// When its context ends, Close refuses what is left, and all is accounted for.
func TestCloseGivesUp(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	there, conn := newMachine(t, server), server.Conn(t)
	release, handled := make(chan struct{}), new(atomic.Uint64)
	served := holdText(t, there, release, handled)
	h := newHeld()
	asked := serve(t, there, "asks", asks(), h.handle)
	const messages = 100
	for range messages {
		require.NoError(t, conn.Publish("text", nil))
	}
	require.NoError(t, conn.Flush())
	caller := refTo(t, newMachine(t, server), "asks", asks())
	result := make(chan error, 1)
	go func() {
		_, err := asking(t.Context(), caller, 0)
		result <- err
	}()
	await(t, h.begun)
	eventually(t, func() bool { return there.node.Stats().Delivered == 2 })

	over, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, served.Close(over), context.Canceled)
	require.ErrorIs(t, asked.Close(over), context.Canceled)
	require.ErrorIs(t, await(t, result), mailbox.ErrStopped)
	eventually(t, func() bool {
		stats := there.node.Stats()
		return stats.Received == messages+1 && stats.Delivered == 2 && stats.Refused.Stopped == messages-2
	}, "%+v", there.node.Stats())
	close(release)
	eventually(t, func() bool { return handled.Load() == 2 })
}

// What comes while too much waits is counted, and told.
func TestSlowConsumer(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	log := newLog()
	there := newMachine(t, server, remote.WithLimits(remote.Limits{MaxPending: 10}), remote.WithLogger(log.logger()))
	conn := server.Conn(t)
	release, handled := make(chan struct{}), new(atomic.Uint64)
	served := holdText(t, there, release, handled)
	const messages = 1000
	for range messages {
		require.NoError(t, conn.Publish("text", nil))
	}
	require.NoError(t, conn.Flush())
	eventually(t, func() bool { return there.node.Stats().Dropped > 0 })
	eventually(t, func() bool { return log.has("too many waited", "text") })
	close(release)
	require.NoError(t, served.Close(t.Context()))
	stats := there.node.Stats()
	assert.Less(t, stats.Received, uint64(messages))
	assert.EqualValues(t, messages, stats.Received+stats.Dropped, "every message is received or dropped")
	assert.Equal(t, stats.Received, stats.Delivered)
	eventually(t, func() bool { return handled.Load() == stats.Delivered })
}

// What was dropped is counted though nothing waits any more when the subject is closed.
func TestDropsAreCountedAtTheEnd(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	conn := server.Conn(t)
	const messages, rounds = 100, 10
	for range rounds { // A loss needs some luck.
		there := newMachine(t, server, remote.WithLimits(remote.Limits{MaxPending: 10}))
		release, handled := make(chan struct{}), new(atomic.Uint64)
		served := holdText(t, there, release, handled)
		for range messages {
			require.NoError(t, conn.Publish("text", nil))
		}
		require.NoError(t, conn.Flush())
		require.NoError(t, there.conn.Flush())
		close(release)
		last := uint64(0)
		eventually(t, func() bool { // Stats would count what was dropped.
			before := last
			last = handled.Load()
			return last > 0 && last == before
		})
		require.NoError(t, served.Close(t.Context()))
		stats := there.node.Stats()
		require.EqualValues(t, messages, stats.Received+stats.Dropped)
		require.Less(t, stats.Received, uint64(messages))
	}
}

// What waits is bounded in bytes too.
func TestPendingBytes(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	there := newMachine(t, server, remote.WithLimits(remote.Limits{MaxMessage: 2000, MaxPendingBytes: 10_000}))
	conn := server.Conn(t)
	release, handled := make(chan struct{}), new(atomic.Uint64)
	holdText(t, there, release, handled)
	for range 100 {
		require.NoError(t, conn.Publish("text", make([]byte, 1000)))
	}
	require.NoError(t, conn.Flush())
	eventually(t, func() bool {
		stats := there.node.Stats()
		return stats.Dropped >= 80 && stats.Dropped < 100
	})
	close(release)
}

// A process that has ended refuses what comes.
func TestServedProcessHasEnded(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	there := newMachine(t, server)
	ref := spawn(t, there, func(context.Context, string) error { return nil })
	serveRef(t, there, "text", ref, text())
	ref.Kill()
	await(t, ref.Done())
	answer := request(t, server.Conn(t), "text", "hello")
	assert.Equal(t, "stopped", answer.Header.Get("waybill-error"))
	assert.Equal(t, "503", answer.Header.Get("Nats-Service-Error-Code"))
	assert.EqualValues(t, 1, there.node.Stats().Refused.Stopped)
}

// A server that is away for a while loses no message that the client could keep.
func TestReconnect(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	here, there := newMachine(t, server), newMachine(t, server)
	got := make(chan string, 1000)
	serve(t, there, "text", text(), func(_ context.Context, m string) error {
		got <- m
		return nil
	})
	ref := refTo(t, here, "text", text())
	require.NoError(t, ref.Send(t.Context(), "before"))
	require.Equal(t, "before", await(t, got))
	server.Stop()
	eventually(t, func() bool { return !here.conn.IsConnected() && !there.conn.IsConnected() })
	for i := range 10 {
		require.NoError(t, ref.Send(t.Context(), fmt.Sprint("while away ", i)))
	}
	eventually(t, func() bool { return here.node.Stats().Sent == 11 })
	server.Restart(t)
	eventually(t, func() bool { return here.conn.IsConnected() && there.conn.IsConnected() })
	// Who was first to come back decides whether those arrive: what is sent from now on does,
	// after them.
	require.NoError(t, there.conn.Flush())
	require.NoError(t, ref.Send(t.Context(), "after"))
	last := -1
	for m := await(t, got); m != "after"; m = await(t, got) {
		n, err := strconv.Atoi(m[len("while away "):])
		require.NoError(t, err)
		require.Greater(t, n, last, "in order, and none twice")
		last = n
	}
}

// What the client cannot keep is an error of the handling, counted and told.
func TestTheConnectionTakesNoMore(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	log := newLog()
	conn := server.Conn(t, nats.ReconnectBufSize(1000))
	here := newMachineOf(t, conn, nil, remote.WithLogger(log.logger()))
	ref := refTo(t, here, "asks", asks())
	server.Stop()
	eventually(t, func() bool { return !conn.IsConnected() })
	messages := refTo(t, here, "text", text())
	for range 20 {
		require.NoError(t, messages.Send(t.Context(), string(make([]byte, 100))))
	}
	eventually(t, func() bool {
		stats := here.node.Stats()
		return stats.Sent > 0 && stats.NotSent.Connection > 0 && stats.Sent+stats.NotSent.Connection == 20
	})
	_, err := asking(t.Context(), ref, 0)
	require.ErrorIs(t, err, mailbox.ErrFull)
	require.ErrorIs(t, err, nats.ErrReconnectBufExceeded)
	eventually(t, func() bool { return log.has("not sent", "text") })
	eventually(t, func() bool { return here.sys.KindStats()["proxy"].Failed == here.node.Stats().NotSent.Total() })
}

// Answers wait for a connection as well: they are sent when it is back.
func TestCallAcrossAReconnect(t *testing.T) {
	h := newHeld()
	p := newPair(t, h.handle, remote.Limits{})
	result := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err := asking(ctx, p.ref, 0)
		result <- err
	}()
	await(t, h.begun)
	p.server.Restart(t)
	close(h.leave)
	if err := await(t, result); err != nil { // The answer may have come while nobody listened.
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}
	for _, m := range []*machine{p.here, p.there} { // It may not have noticed yet that the server was away.
		eventually(t, func() bool { return m.conn.Stats().Reconnects == 1 && m.conn.IsConnected() })
	}
	require.NoError(t, p.there.conn.Flush())
	_, err := asking(t.Context(), p.ref, 0)
	require.NoError(t, err)
}
