// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package durable_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote/durable"
)

// ref is a process that does nothing.
func ref(t testing.TB) mailbox.Ref[durable.Item[order]] {
	t.Helper()
	r, err := mailbox.Spawn(newSystem(t), "shipping", durable.Handler(
		func(context.Context, durable.Delivery[order]) error { return nil }))
	require.NoError(t, err)
	return r
}

// An Item that no consumer has sent is an error, and no panic.
func TestZeroItem(t *testing.T) {
	handled := durable.Handler(func(context.Context, durable.Delivery[order]) error { return nil })
	var zero durable.Item[order]
	require.Error(t, handled(t.Context(), zero))
	zero.Failed(errBroken)
	zero.Dead(errBroken)
	assert.Equal(t, "order", zero.MessageType().Name())
}

// logs is a writer that can be read meanwhile.
type logs struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// What strangers publish is handled or becomes a dead letter, whatever it is, and nothing of it
// is an order to the server.
func TestHostileMessages(t *testing.T) {
	server, js := start(t)
	conf := config()
	conf.MaxMessage = 1000
	out := new(logs)
	conf.Logger = slog.New(slog.NewTextHandler(out, nil))
	q := newQueue(t, js, conf)
	var got seen
	_, _ = consume(t, q, newSystem(t), func(_ context.Context, d durable.Delivery[order]) error {
		got.add(d)
		return nil
	})
	conn := server.Conn(t)
	long := strings.Repeat("x", 20_000)
	for _, msg := range []*nats.Msg{
		{Data: []byte("{")},
		{Data: []byte(`{"N":"` + long + `"}`)},
		{Data: nil, Header: nats.Header{"Status": {"408"}}}, // As the server ends a request.
		{Data: nil, Header: nats.Header{"Status": {"100"}, "Description": {"Idle Heartbeat"}}},
		{Data: nil, Header: nats.Header{"Status": {"503"}}},
		{Data: []byte("["), Header: nats.Header{"Nats-Rollup": {"all"}, "nats-expected-stream": {"NONE"}, "Nats-Expected-Last-Sequence": {"99"}}},
		{Data: []byte("]"), Header: nats.Header{durable.HeaderReason: {"none"}, "Other": {"stays"}, "traceparent": {"00-" + long}}},
		{Data: []byte(`{"N":7}`), Header: nats.Header{"traceparent": {"x", "y"}, "waybill-chain": {long}, "baggage": {long}}},
	} {
		msg.Subject = "orders"
		_, err := js.PublishMsg(t.Context(), msg)
		if err != nil { // The stream obeys such orders itself.
			for _, header := range []string{"Nats-Expected-Last-Sequence", "nats-expected-stream", "Nats-Rollup"} {
				msg.Header.Del(header)
			}
			_, err = js.PublishMsg(t.Context(), msg)
		}
		require.NoError(t, err)
	}
	require.NoError(t, conn.Publish("orders", nil))
	eventually(t, func() bool { return q.Stats().DeadLetters.Total() == 8 && settled(t, js) })
	s := q.Stats()
	requireBalance(t, s)
	assert.Equal(t, durable.DeadLetters{Undecodable: 7, Oversized: 1}, s.DeadLetters)
	assert.GreaterOrEqual(t, s.Malformed, uint64(1))
	require.Equal(t, 1, got.len())
	assert.Equal(t, 7, got.list()[0].Message.N)

	dead := deadLetters(t, js)
	require.Len(t, dead, 8)
	kept := 0
	for _, msg := range dead {
		assert.Contains(t, []string{"undecodable", "oversized"}, msg.Header.Get(durable.HeaderReason))
		assert.Equal(t, "1", msg.Header.Get(durable.HeaderAttempts))
		assert.LessOrEqual(t, len(msg.Header.Get(durable.HeaderError)), 1024)
		kept += len(msg.Header["Other"])
		for key := range msg.Header {
			assert.True(t, !strings.HasPrefix(strings.ToLower(key), "nats-") || key == "Nats-Msg-Id", key)
		}
	}
	assert.Equal(t, 1, kept)
	eventually(t, func() bool { return strings.Contains(out.String(), "durable: dead letter") })
	assert.Less(t, strings.Count(out.String(), "durable: dead letter\""), 8, "once a second")
}

// Garbage in the key-value store changes nothing but what is counted.
func TestHostileStore(t *testing.T) {
	_, js := start(t)
	conf := config()
	conf.MaxDeliver = 2
	q := newQueue(t, js, conf)
	publish(t, q, 0, 1)
	_, _ = consume(t, newQueue(t, js, conf), newSystem(t), func(context.Context, durable.Delivery[order]) error {
		return errBroken
	})
	kv, err := js.KeyValue(t.Context(), "waybill_redelivery")
	require.NoError(t, err)
	_, err = kv.Put(t.Context(), "ORDERS.shipping.1", []byte("{"))
	require.NoError(t, err)
	_, err = kv.Put(t.Context(), "ORDERS.shipping.2", []byte(`{"stored":1,"returned":99999999999,"failed":"00-x"}`))
	require.NoError(t, err)
	eventually(t, func() bool { return len(deadLetters(t, js)) == 2 && settled(t, js) })
}

// A dead letter that cannot be stored is not given up: its message stays in the stream.
func TestDeadLetterThatCannotBeStored(t *testing.T) {
	_, js := start(t)
	conf := config()
	conf.MaxDeliver = 1
	q := newQueue(t, js, conf)
	_, _ = consume(t, q, newSystem(t), func(context.Context, durable.Delivery[order]) error { return errBroken })
	dead, err := js.Stream(t.Context(), "DEAD")
	require.NoError(t, err)
	full := dead.CachedInfo().Config
	full.MaxMsgs, full.Discard = 1, 1 // DiscardNew.
	_, err = js.UpdateStream(t.Context(), full)
	require.NoError(t, err)
	_, err = js.Publish(t.Context(), "dead.other", nil)
	require.NoError(t, err)

	publish(t, q, 5)
	eventually(t, func() bool { return q.Stats().DeadLetterErrors >= 2 })
	full.MaxMsgs = -1
	_, err = js.UpdateStream(t.Context(), full)
	require.NoError(t, err)
	eventually(t, func() bool { return len(deadLetters(t, js)) == 2 && settled(t, js) })
	msg := deadLetters(t, js)[1]
	assert.Equal(t, "failed", msg.Header.Get(durable.HeaderReason))
	assert.Equal(t, "broken", msg.Header.Get(durable.HeaderError))
	assert.Equal(t, "1", msg.Header.Get(durable.HeaderAttempts))
	requireBalance(t, q.Stats())
}
