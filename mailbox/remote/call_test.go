// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

// ask is a message that is always a call: its handler does what the test wants.
type ask struct {
	Number int

	reply mailbox.Reply[string]
}

func asks() remote.Protocol[ask] {
	return remote.Protocol[ask]{Calls: []remote.CallType[ask]{
		remote.Answered[ask](func(a *ask) *mailbox.Reply[string] { return &a.reply }, nil),
	}}
}

// asking calls ref.
func asking(ctx context.Context, ref mailbox.Ref[ask], number int) (string, error) {
	return mailbox.Call(ctx, ref, func(r mailbox.Reply[string]) ask { return ask{number, r} })
}

// pair is a process on one machine, and a reference to it on another one.
type pair struct {
	server      *natstest.Server
	here, there *machine
	served      *remote.Served
	process     mailbox.Ref[ask]
	ref         mailbox.Ref[ask]
}

func newPair(t testing.TB, handler mailbox.Handler[ask], limits remote.Limits, opts ...mailbox.KindOption) *pair {
	t.Helper()
	p := &pair{server: natstest.Start(t, natstest.Options{})}
	p.here = newMachine(t, p.server, remote.WithLimits(limits))
	p.there = newMachine(t, p.server, remote.WithLimits(limits))
	p.process = spawn(t, p.there, handler, opts...)
	p.served = serveRef(t, p.there, "asks", p.process, asks())
	p.ref = refTo(t, p.here, "asks", asks())
	return p
}

// failing returns a handler that fails all calls with err.
func failing(err error) mailbox.Handler[ask] {
	return func(_ context.Context, a ask) error {
		a.reply.Fail(err)
		return nil
	}
}

// What a failure means is the same on both machines.
func TestFailuresOfCalls(t *testing.T) {
	long := strings.Repeat("é\r\n", 1000)
	for name, test := range map[string]struct {
		fails error
		is    error // nil if only the text comes
		code  string
		text  string
	}{
		"stopped":   {fmt.Errorf("the shop: %w", mailbox.ErrStopped), mailbox.ErrStopped, "stopped", "the shop: mailbox: stopped"},
		"full":      {mailbox.ErrFull, mailbox.ErrFull, "full", "mailbox: full"},
		"dropped":   {mailbox.ErrDropped, mailbox.ErrDropped, "dropped", ""},
		"killed":    {mailbox.ErrKilled, mailbox.ErrKilled, "killed", ""},
		"deadline":  {context.DeadlineExceeded, context.DeadlineExceeded, "deadline", ""},
		"cancelled": {context.Canceled, context.Canceled, "cancelled", ""},
		"codec":     {remote.ErrCodec, remote.ErrCodec, "codec", ""},
		"oversized": {remote.ErrOversized, remote.ErrOversized, "oversized", ""},
		"failed":    {errors.New("no such guild"), nil, "failed", "no such guild"},
		"hostile":   {errors.New("a\r\nNats-Service-Error-Code: 200\r\n\r\nb\x00"), nil, "failed", "a  Nats-Service-Error-Code: 200    b "},
		"long":      {errors.New(long), nil, "failed", strings.ReplaceAll(long[:1024], "\r\n", "  ")},
		"panics":    {panics{}, nil, "failed", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t, failing(test.fails), remote.Limits{})
			_, err := asking(t.Context(), p.ref, 0)
			failed, ok := errors.AsType[*remote.Error](err)
			require.True(t, ok, "%v", err)
			assert.Equal(t, test.code, failed.Code)
			assert.Equal(t, "asks", failed.Subject)
			assert.LessOrEqual(t, len(failed.Text), 1024)
			if test.text != "" {
				assert.Equal(t, strings.TrimSpace(test.text), strings.TrimSpace(failed.Text))
				assert.Contains(t, err.Error(), "remote: asks: ")
			}
			for _, meaning := range []error{
				mailbox.ErrStopped, mailbox.ErrFull, mailbox.ErrDropped, mailbox.ErrKilled, context.DeadlineExceeded,
				context.Canceled, remote.ErrCodec, remote.ErrOversized, nats.ErrNoResponders,
			} {
				assert.Equal(t, errors.Is(meaning, test.is), errors.Is(err, meaning), "%v", meaning)
			}
		})
	}
}

// panics is an error that panics when it is asked anything.
type panics struct{}

func (panics) Error() string        { panic("no text") }
func (panics) Is(target error) bool { panic("no comparison") }

func TestHandlerPanics(t *testing.T) {
	p := newPair(t, func(context.Context, ask) error { panic("the roof is on fire") }, remote.Limits{})
	_, err := asking(t.Context(), p.ref, 0)
	failed, ok := errors.AsType[*remote.Error](err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, "panic", failed.Code)
	assert.Contains(t, failed.Text, "the roof is on fire")
	assert.NotContains(t, failed.Text, "goroutine", "no stack")
	await(t, p.process.Done())
	_, err = asking(t.Context(), p.ref, 0)
	require.ErrorIs(t, err, mailbox.ErrStopped)
	require.NotErrorIs(t, err, nats.ErrNoResponders, "it is served, and refuses")
}

// held is a handler that tells when it has begun, and waits for the end of its context or for
// leave to answer.
type held struct {
	begun chan context.Context
	leave chan struct{}
}

func newHeld() *held { return &held{make(chan context.Context, 100), make(chan struct{})} }

func (h *held) handle(ctx context.Context, a ask) error {
	h.begun <- ctx
	select {
	case <-h.leave:
	case <-ctx.Done():
		return ctx.Err()
	}
	a.reply.Answer("at last")
	return nil
}

// A deadline travels, as the time that is left.
func TestDeadline(t *testing.T) {
	h := newHeld()
	p := newPair(t, h.handle, remote.Limits{})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := asking(ctx, p.ref, 0)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	there := await(t, h.begun)
	deadline, ok := there.Deadline()
	require.True(t, ok)
	assert.WithinDuration(t, time.Now(), deadline, patience)
	await(t, there.Done())
	require.ErrorIs(t, there.Err(), context.DeadlineExceeded)
	eventually(t, func() bool { return p.here.node.Stats().Calls.TimedOut == 1 })
	eventually(t, func() bool { return p.there.node.Stats().Served.Failed == 1 })
}

// A caller that goes away ends the handler's context, however early it goes.
func TestCancellation(t *testing.T) {
	for name, early := range map[string]bool{"at once": true, "when it is known who answers": false} {
		t.Run(name, func(t *testing.T) {
			h := newHeld()
			p := newPair(t, h.handle, remote.Limits{})
			working := make(chan struct{}, 1)
			_, err := p.here.conn.Subscribe("_INBOX.>", func(m *nats.Msg) {
				if m.Header.Get("waybill-node") != "" {
					working <- struct{}{}
				}
			})
			require.NoError(t, err)
			require.NoError(t, p.here.conn.Flush())
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			result := make(chan error, 1)
			go func() {
				_, err := asking(ctx, p.ref, 0)
				result <- err
			}()
			there := await(t, h.begun)
			if !early {
				await(t, working)
			}
			require.NoError(t, there.Err())
			cancel()
			require.ErrorIs(t, await(t, result), context.Canceled)
			await(t, there.Done())
			require.ErrorIs(t, there.Err(), context.Canceled)
			eventually(t, func() bool { return p.there.node.Stats().Served.Cancelled == 1 })
			eventually(t, func() bool { return p.here.node.Stats().Calls.Cancelled == 1 })
		})
	}
}

// A call without a deadline has one all the same.
func TestCallTimeout(t *testing.T) {
	h := newHeld()
	p := newPair(t, h.handle, remote.Limits{CallTimeout: 50 * time.Millisecond})
	_, err := asking(t.Context(), p.ref, 0)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, t.Context().Err())
	await(t, await(t, h.begun).Done())
}

// A server bounds how long it answers, whatever the caller says.
func TestMaxCallTime(t *testing.T) {
	h := newHeld()
	p := newPair(t, h.handle, remote.Limits{MaxCallTime: 50 * time.Millisecond})
	_, err := asking(t.Context(), p.ref, 0)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, ok := errors.AsType[*remote.Error](err)
	require.True(t, ok, "it is the server that says so: %v", err)
}

// A Reply may be answered later, from anywhere.
func TestAnswerLater(t *testing.T) {
	kept := make(chan ask, 1)
	p := newPair(t, func(_ context.Context, a ask) error {
		kept <- a
		return nil
	}, remote.Limits{})
	result := make(chan string, 1)
	go func() {
		answer, err := asking(t.Context(), p.ref, 0)
		assert.NoError(t, err)
		result <- answer
	}()
	a := await(t, kept)
	assert.True(t, a.reply.Answer("later"))
	assert.False(t, a.reply.Answer("twice"))
	assert.Equal(t, "later", await(t, result))
}

// One message type may be a call or not: it is one if it has a Reply.
func TestACallTypeWithoutReplyIsSent(t *testing.T) {
	got := make(chan bool, 1)
	p := newPair(t, func(_ context.Context, a ask) error {
		got <- a.reply.Answer("nobody waits")
		return nil
	}, remote.Limits{})
	require.NoError(t, p.ref.Send(t.Context(), ask{}))
	assert.False(t, await(t, got))
	eventually(t, func() bool { return p.there.node.Stats().Delivered == 1 })
	assert.Zero(t, p.there.node.Stats().Served.Calls)
}

// An answer that comes when the caller has gone is counted.
func TestLateAnswer(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	here, foreign := newMachine(t, server), server.Conn(t)
	requests := make(chan *nats.Msg, 1)
	_, err := foreign.ChanSubscribe("asks", requests)
	require.NoError(t, err)
	require.NoError(t, foreign.Flush())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	result := make(chan error, 1)
	ref := refTo(t, here, "asks", asks())
	go func() {
		_, err := asking(ctx, ref, 0)
		result <- err
	}()
	request := await(t, requests)
	cancel()
	require.ErrorIs(t, await(t, result), context.Canceled)
	eventually(t, func() bool { return here.node.Stats().Calls.Cancelled == 1 })
	require.NoError(t, request.Respond([]byte(`"late"`)))
	eventually(t, func() bool { return here.node.Stats().Calls.Late == 1 })
	assert.Zero(t, here.node.Stats().Calls.Pending)
}

// Both sides have a bound of the calls that wait.
func TestTooManyCalls(t *testing.T) {
	for name, test := range map[string]struct {
		limits  remote.Limits
		refused func(here, there remote.Stats) uint64
	}{
		"there": {remote.Limits{MaxServed: 2}, func(_, there remote.Stats) uint64 { return there.Refused.Busy }},
		"here":  {remote.Limits{MaxCalls: 2}, func(here, _ remote.Stats) uint64 { return here.NotSent.Full }},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHeld()
			p := newPair(t, h.handle, test.limits)
			var calls sync.WaitGroup
			for range 2 {
				calls.Go(func() {
					answer, err := asking(t.Context(), p.ref, 0)
					assert.NoError(t, err)
					assert.Equal(t, "at last", answer)
				})
			}
			eventually(t, func() bool { return p.there.node.Stats().Served.Pending == 2 })
			_, err := asking(t.Context(), p.ref, 0)
			require.ErrorIs(t, err, mailbox.ErrFull)
			assert.EqualValues(t, 1, test.refused(p.here.node.Stats(), p.there.node.Stats()))
			close(h.leave)
			calls.Wait()
			_, err = asking(t.Context(), p.ref, 0)
			require.NoError(t, err, "there is room again")
		})
	}
}

// The server of a process that has a full mailbox, or drops the oldest, says so to callers.
func TestFullMailbox(t *testing.T) {
	h := newHeld()
	p := newPair(t, h.handle, remote.Limits{}, mailbox.WithCapacity(1), mailbox.WithOverflow(mailbox.Refuse))
	var calls sync.WaitGroup
	for n := range uint64(2) {
		calls.Go(func() { _, _ = asking(t.Context(), p.ref, 0) })
		eventually(t, func() bool {
			stats := p.there.sys.Stats()
			return stats.Accepted == n+1
		})
	}
	_, err := asking(t.Context(), p.ref, 0)
	require.ErrorIs(t, err, mailbox.ErrFull)
	require.NoError(t, p.ref.Send(t.Context(), ask{}))
	eventually(t, func() bool { return p.there.node.Stats().Refused.Full == 1 })
	close(h.leave)
	calls.Wait()
}

func TestDroppedForANewerOne(t *testing.T) {
	h := newHeld()
	p := newPair(t, h.handle, remote.Limits{}, mailbox.WithCapacity(1), mailbox.WithOverflow(mailbox.DropOldest))
	results := make(chan error, 3)
	for n := range uint64(3) {
		go func() {
			_, err := asking(t.Context(), p.ref, 0)
			results <- err
		}()
		eventually(t, func() bool { return p.there.sys.Stats().Accepted == n+1 })
	}
	require.ErrorIs(t, await(t, results), mailbox.ErrDropped)
	close(h.leave)
	require.NoError(t, await(t, results))
	require.NoError(t, await(t, results))
}

// A killed process fails its calls.
func TestKilled(t *testing.T) {
	h := newHeld()
	p := newPair(t, func(ctx context.Context, a ask) error {
		h.begun <- ctx
		<-h.leave
		return nil
	}, remote.Limits{})
	result := make(chan error, 1)
	go func() {
		_, err := asking(t.Context(), p.ref, 0)
		result <- err
	}()
	await(t, h.begun)
	p.process.Kill()
	close(h.leave)
	require.ErrorIs(t, await(t, result), mailbox.ErrStopped)
}

// A call that waits when its node is closed, or its connection, fails soon.
func TestCallsFailWithTheirNode(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, p *pair){
		"node":       func(t *testing.T, p *pair) { require.NoError(t, p.here.node.Close(t.Context())) },
		"connection": func(_ *testing.T, p *pair) { p.here.conn.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHeld()
			p := newPair(t, h.handle, remote.Limits{})
			result := make(chan error, 1)
			go func() {
				_, err := asking(t.Context(), p.ref, 0)
				result <- err
			}()
			await(t, h.begun)
			sent := p.here.node.Stats().Sent
			end(t, p)
			require.ErrorIs(t, await(t, result), mailbox.ErrStopped)
			_, err := asking(t.Context(), p.ref, 0)
			require.ErrorIs(t, err, mailbox.ErrStopped, "from now on at once")
			require.NoError(t, p.here.node.Close(t.Context()))
			require.NoError(t, p.here.node.Close(t.Context()), "again")
			s := p.here.node.Stats()
			assert.Zero(t, s.Calls.Pending)
			assert.Equal(t, sent, s.Sent, "a call that fails at once is not handled")
			assert.Equal(t, remote.NotSent{Connection: 1}, s.NotSent)
			close(h.leave)
		})
	}
}
