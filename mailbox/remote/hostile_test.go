// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

// under is what strangers write to.
type under struct {
	here, there *machine
	foreign     *nats.Conn // of the strangers
	watched     *nats.Conn // of those who check
	ref         mailbox.Ref[ask]
	answer      chan *nats.Msg // what the next call gets as its answer
}

func newUnder(t testing.TB) *under {
	t.Helper()
	server := natstest.Start(t, natstest.Options{})
	u := &under{
		here: newMachine(t, server), there: newMachine(t, server, remote.WithID("there")),
		foreign: server.Conn(t), watched: server.Conn(t), answer: make(chan *nats.Msg, 1),
	}
	serve(t, u.there, "asks", asks(), func(_ context.Context, a ask) error {
		a.reply.Answer("fine")
		return nil
	})
	_, err := u.foreign.Subscribe("bad.answers", func(m *nats.Msg) {
		select {
		case answer := <-u.answer:
			if m.RespondMsg(answer) != nil {
				_ = m.Respond(nil)
			}
		default: // It was for another call.
			_ = m.Respond(nil)
		}
	})
	require.NoError(t, err)
	require.NoError(t, u.foreign.Flush())
	u.ref = refTo(t, u.here, "bad.answers", asks())
	return u
}

// works checks that those who behave are served as before.
func (u *under) works(t testing.TB) {
	t.Helper()
	require.NoError(t, u.foreign.Flush())
	m, err := u.watched.Request("asks", []byte("{}"), patience)
	require.NoError(t, err)
	require.Equal(t, `"fine"`, string(m.Data))
	stats := u.there.node.Stats()
	require.Equal(t, stats.Received,
		stats.Delivered+stats.Refused.Total()+stats.Undecodable+stats.Oversized+stats.Served.Calls)
}

// FuzzReceive has strangers write anything: to a process, as the answer to a call, and to what
// nodes tell each other. Nobody else must notice.
func FuzzReceive(f *testing.F) {
	f.Add("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "waybill-chain", "h:99999999999;a:1", "{}", "somewhere")
	f.Add("waybill-timeout", "-1", "waybill-timeout", "1", "{}", "somewhere")
	f.Add("waybill-timeout", "99999999999999999999", "baggage", "a=b", "null", "_INBOX.x.1")
	f.Add("waybill-error", "full", "Nats-Service-Error", "\x00\xff", "", "")
	f.Add("waybill-node", "there", "Status", "503", "", "waybill.cancel.there")
	f.Add("waybill-node", "a.b>*", "waybill-error", "", "[]", "$JS.API.STREAM.PURGE.x")
	u := newUnder(f)
	f.Fuzz(func(t *testing.T, key1, value1, key2, value2, payload, reply string) {
		m := &nats.Msg{Header: nats.Header{key1: {value1}}, Data: []byte(payload)}
		m.Header.Add(key2, value2)
		select {
		case <-u.answer: // The call before was not sent in time.
		default:
		}
		answer := *m
		u.answer <- &answer
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := asking(ctx, u.ref, 0)
		if err != nil && ctx.Err() == nil {
			failed, ok := errors.AsType[*remote.Error](err)
			require.True(t, ok, "%v", err)
			require.LessOrEqual(t, len(failed.Text), 1024)
			require.LessOrEqual(t, len(failed.Code), 1024)
		}
		_ = u.foreign.Publish("waybill.cancel.there", m.Data)
		for _, to := range []string{reply, ""} {
			_ = u.foreign.PublishMsg(&nats.Msg{Subject: "asks", Reply: to, Header: m.Header, Data: m.Data})
		}
		u.works(t)
	})
}

// Two calls with one subject for their answers, as only strangers make them, do not disturb each
// other: when one has ended, the other can still be cancelled.
func TestTwoCallsWithOneReply(t *testing.T) {
	kept := make(chan ask, 2)
	p := newPair(t, func(_ context.Context, a ask) error {
		kept <- a
		return nil
	}, remote.Limits{})
	foreign := p.server.Conn(t)
	answers := make(chan *nats.Msg, 10)
	_, err := foreign.ChanSubscribe("mine", answers)
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, foreign.PublishRequest("asks", "mine", []byte("{}")))
	}
	await(t, kept)
	second := await(t, kept)
	require.True(t, second.reply.Answer("done"))
	assert.Equal(t, `"done"`, string(await(t, answers).Data))
	eventually(t, func() bool { return p.there.node.Stats().Served.Pending == 1 })
	require.NoError(t, foreign.Publish("waybill.cancel."+p.there.node.ID(), []byte("mine")))
	assert.Equal(t, "cancelled", await(t, answers).Header.Get("waybill-error"))
	eventually(t, func() bool { return p.there.node.Stats().Served.Cancelled == 1 })
}

// Answers never go where only the server and nodes may write.
func TestRepliesToReservedSubjects(t *testing.T) {
	u := newUnder(t)
	seen := make(chan *nats.Msg, 10)
	for _, on := range []string{"$JS.>", "waybill.>", "elsewhere"} {
		_, err := u.watched.ChanSubscribe(on, seen)
		require.NoError(t, err)
	}
	require.NoError(t, u.watched.Flush())
	for _, to := range []string{"$JS.API.STREAM.PURGE.orders", "waybill.cancel.there", "elsewhere"} {
		for _, payload := range []string{"{}", "no ask", "{}"} {
			require.NoError(t, u.foreign.PublishRequest("asks", to, []byte(payload)))
		}
	}
	for range 3 {
		assert.Equal(t, "elsewhere", await(t, seen).Subject)
	}
	u.works(t)
	assert.Empty(t, seen)
	assert.EqualValues(t, 6, u.there.node.Stats().Malformed)
	assert.EqualValues(t, 4, u.there.node.Stats().Delivered, "they are messages that nobody waits for")
}

// What strangers say of traces stays within bounds, and what is no trace is none.
func TestHostileHeaders(t *testing.T) {
	for name, fields := range map[string]nats.Header{
		"malformed":    {"traceparent": {"00-xyz"}},
		"repeated":     {"traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}},
		"large":        {"baggage": {"a=" + strings.Repeat("x", 20<<10)}},
		"many":         {"baggage": slices.Repeat([]string{"none"}, 1000)},
		"chain":        {"traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}, "waybill-chain": {"h:-1"}},
		"other fields": {"x": {strings.Repeat("x", 100<<10)}},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUnder(t)
			require.NoError(t, u.foreign.PublishMsg(&nats.Msg{Subject: "asks", Header: fields, Data: []byte("{}")}))
			eventually(t, func() bool { return u.there.node.Stats().Delivered == 1 })
			stats := u.there.node.Stats()
			assert.EqualValues(t, 1, stats.Malformed+stats.Bare)
			u.works(t)
		})
	}
}

// A deadline that makes no sense is none, and is counted.
func TestHostileTimeouts(t *testing.T) {
	u := newUnder(t)
	for i, timeout := range []string{"0", "-1", "x", "", "1e9", "99999999999999999999", "1;2"} {
		m, err := u.foreign.RequestMsg(&nats.Msg{Subject: "asks", Header: nats.Header{"waybill-timeout": {timeout}}, Data: []byte("{}")}, patience)
		require.NoError(t, err)
		assert.Equal(t, `"fine"`, string(m.Data))
		assert.EqualValues(t, i+1, u.there.node.Stats().Malformed, timeout)
	}
	// The longest that can be written is cut to the bound.
	m, err := u.foreign.RequestMsg(&nats.Msg{Subject: "asks", Header: nats.Header{"waybill-timeout": {"9223372036854775807"}}, Data: []byte("{}")}, patience)
	require.NoError(t, err)
	assert.Equal(t, `"fine"`, string(m.Data))
}

// A stranger who claims to answer makes a node write to no subject but that of a node.
func TestHostileNodeID(t *testing.T) {
	u := newUnder(t)
	seen := make(chan *nats.Msg, 10)
	_, err := u.watched.ChanSubscribe("waybill.>", seen)
	require.NoError(t, err)
	require.NoError(t, u.watched.Flush())
	for id, want := range map[string]string{"a.b": "waybill.cancel.a=2Eb", ">": "waybill.cancel.=3E", strings.Repeat("x", 256): ""} {
		ctx, cancel := context.WithCancel(t.Context())
		u.answer <- &nats.Msg{Header: nats.Header{"waybill-node": {id}}}
		before := u.here.node.Stats()
		time.AfterFunc(20*time.Millisecond, cancel)
		_, err := asking(ctx, u.ref, 0)
		require.ErrorIs(t, err, context.Canceled)
		if want == "" {
			eventually(t, func() bool { return u.here.node.Stats().Malformed == before.Malformed+1 })
			assert.Empty(t, seen)
			continue
		}
		assert.Equal(t, want, await(t, seen).Subject)
	}
}
