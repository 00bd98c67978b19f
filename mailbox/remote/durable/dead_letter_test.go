// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package durable_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/envelope/wire"
	"github.com/waybill-go/waybill/mailbox/remote/durable"
)

// largeHeaders fit into a stream, which takes 64 KiB, but not with those of a dead letter.
func largeHeaders() nats.Header { return nats.Header{"X": {strings.Repeat("x", 65_400)}} }

// A dead letter that does not fit with all of its message is stored with what fits, and says so.
func TestDeadLetterThatDoesNotFit(t *testing.T) {
	tests := map[string]struct {
		headers nats.Header
		payload int // in bytes
		failure int // length of the error's text
		maxDead int // what the stream of dead letters takes, 0 for anything
		without string
		error   int // length of HeaderError
	}{
		"all of it fits":                          {nats.Header{"X": {"x"}, durable.HeaderWithout: {"lies"}}, 1000, 2000, 0, "", 1024},
		"headers above 64 KiB":                    {largeHeaders(), 1000, 2000, 0, "headers", 1024},
		"headers above what the connection takes": {nats.Header{"X": {strings.Repeat("x", 50_000)}}, 1<<20 - 50_100, 2000, 0, "headers", 1024},
		"headers above what the stream takes":     {nats.Header{"X": {strings.Repeat("x", 5000)}}, 1000, 2000, 3000, "headers", 1024},
		"an error that is too long":               {nil, 1000, 2000, 2000, "headers", 128},
		"a payload that leaves no room":           {nil, 1 << 20, 2000, 0, "headers, payload", 128},
		"a payload above what the stream takes":   {nil, 5000, 2000, 3000, "headers, payload", 128},
		"headers and payload":                     {largeHeaders(), 1<<20 - 65_500, 2000, 70_000, "headers, payload", 128},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, js := start(t)
			if tt.maxDead > 0 {
				dead, err := js.Stream(t.Context(), "DEAD")
				require.NoError(t, err)
				limited := dead.CachedInfo().Config
				limited.MaxMsgSize = int32(tt.maxDead)
				_, err = js.UpdateStream(t.Context(), limited)
				require.NoError(t, err)
			}
			conf := config()
			conf.MaxDeliver = 1
			conf.MaxMessage = 2 << 20
			q := newQueue(t, js, conf)
			_, _ = consume(t, q, newSystem(t), func(context.Context, durable.Delivery[order]) error {
				return errors.New(strings.Repeat("e", tt.failure))
			})
			payload := `{"N":7}` + strings.Repeat(" ", tt.payload-len(`{"N":7}`))
			_, err := js.PublishMsg(t.Context(), &nats.Msg{Subject: "orders", Data: []byte(payload), Header: tt.headers})
			require.NoError(t, err)
			eventually(t, func() bool { return q.Stats().DeadLetters.Failed == 1 && settled(t, js) })

			all := deadLetters(t, js)
			require.Len(t, all, 1)
			h, s := all[0].Header, q.Stats()
			assert.Equal(t, tt.without, h.Get(durable.HeaderWithout))
			assert.Equal(t, "failed", h.Get(durable.HeaderReason))
			assert.Equal(t, "orders", h.Get(durable.HeaderSubject))
			assert.Len(t, h.Get(durable.HeaderError), tt.error)
			assert.Zero(t, s.DeadLetterErrors)
			if tt.without == "" {
				assert.Equal(t, tt.headers["X"], h["X"])
				assert.Zero(t, s.DeadLettersWithoutHeaders)
			} else {
				assert.Empty(t, h["X"])
				assert.Equal(t, uint64(1), s.DeadLettersWithoutHeaders)
			}
			if tt.without != "headers, payload" {
				assert.Equal(t, payload, string(all[0].Data))
				assert.Empty(t, h.Get(durable.HeaderSize))
				assert.Zero(t, s.DeadLettersWithoutPayload)
				return
			}
			assert.Empty(t, all[0].Data)
			assert.Equal(t, strconv.Itoa(tt.payload), h.Get(durable.HeaderSize))
			assert.Equal(t, uint64(1), s.DeadLettersWithoutPayload)
			assert.Equal(t, payload, string(original(t, js, h).Data), "it is where the dead letter says")
		})
	}
}

// Whatever Publish has taken has a payload as a dead letter too, if the server and the queue have
// their defaults.
func TestLargestMessageIsAWholeDeadLetter(t *testing.T) {
	_, js := start(t)
	conf := config()
	conf.MaxDeliver = 1
	q := newQueue(t, js, conf)
	bytes := durable.Config[string]{Stream: conf.Stream, Subject: conf.Subject, Codec: wire.BytesCodec[string]()}
	publisher, err := durable.New(js, bytes)
	require.NoError(t, err)
	const number = `{"N":7}`
	size := 1 << 20 // This and all others that are too large are refused.
	for ; ; size -= 512 {
		_, err := publisher.Publish(t.Context(), number+strings.Repeat(" ", size-len(number)), durable.WithID(strings.Repeat("i", 2000)))
		if err == nil {
			break
		}
		require.ErrorIs(t, err, durable.ErrOversized)
	}
	_, _ = consume(t, q, newSystem(t), func(context.Context, durable.Delivery[order]) error {
		return errors.New(strings.Repeat("e", 2000))
	})
	eventually(t, func() bool { return q.Stats().DeadLetters.Failed == 1 && settled(t, js) })
	all := deadLetters(t, js)
	require.Len(t, all, 1)
	assert.Len(t, all[0].Data, size)
	assert.Len(t, all[0].Header.Get(durable.HeaderError), 1024)
	assert.Equal(t, 1<<20-8<<10, size)
}

// original returns the message that a dead letter with these headers stands for.
func original(t *testing.T, js jetstream.JetStream, dead nats.Header) *jetstream.RawStreamMsg {
	t.Helper()
	stream, err := js.Stream(t.Context(), dead.Get(durable.HeaderStream))
	require.NoError(t, err)
	sequence, err := strconv.ParseUint(dead.Get(durable.HeaderSequence), 10, 64)
	require.NoError(t, err)
	msg, err := stream.GetMsg(t.Context(), sequence)
	require.NoError(t, err)
	return msg
}

// Whoever may publish cannot stop the queue with messages that cannot be dead letters as they
// are: MaxAckPending of them would do, if they stayed.
func TestStrangersCannotStopAQueue(t *testing.T) {
	server, js := start(t)
	conf := config()
	conf.MaxHeld, conf.MaxAckPending = 4, 8
	conf.Backoff = []time.Duration{time.Hour} // What cannot be stored would be out of the way for the test.
	q := newQueue(t, js, conf)
	var got seen
	_, _ = consume(t, q, newSystem(t), func(_ context.Context, d durable.Delivery[order]) error {
		got.add(d)
		return nil
	})
	strange := []*nats.Msg{
		{Data: []byte("not JSON"), Header: largeHeaders()},
		{Data: make([]byte, 1<<20)},
		{Data: make([]byte, 1<<20-65_500), Header: largeHeaders()},
	}
	for n := range conf.MaxAckPending {
		msg := strange[n%len(strange)]
		msg.Subject = "orders"
		_, err := js.PublishMsg(t.Context(), msg)
		require.NoError(t, err)
	}
	// Clients in Go read such headers, and do not write them.
	header := "NATS/1.0\r\nnot a key{}: x\r\n\r\n"
	publishRaw(t, server.Addr(), "orders", header, "not JSON")
	publish(t, q, 1)
	eventually(t, func() bool { return got.len() == 1 && q.Stats().Held == 0 && settled(t, js) })
	s := q.Stats()
	requireBalance(t, s)
	assert.Equal(t, uint64(conf.MaxAckPending+1), s.DeadLetters.Total())
	assert.Zero(t, s.DeadLetterErrors)
	for _, dead := range deadLetters(t, js) {
		assert.Contains(t, dead.Header.Get(durable.HeaderWithout), "headers")
	}
}

// publishRaw publishes what the client in Go does not.
func publishRaw(t *testing.T, addr, subject, header, payload string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "CONNECT {\"verbose\":false,\"headers\":true}\r\nHPUB %s %d %d\r\n%s%s\r\nPING\r\n",
		subject, len(header), len(header)+len(payload), header, payload)
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(patience)))
	var answer strings.Builder
	for buffer := make([]byte, 4096); !strings.Contains(answer.String(), "PONG"); {
		n, err := conn.Read(buffer)
		require.NoError(t, err)
		answer.Write(buffer[:n])
	}
}
