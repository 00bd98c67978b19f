// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sessions_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/examples/guild/internal/sessions"
	"github.com/waybill-go/waybill/examples/guild/internal/store"
	"github.com/waybill-go/waybill/sampling"
)

// subscribe is a sessions.Directory.
type subscribe func(ctx context.Context, guild int64, session chat.Session) error

func (s subscribe) Subscribe(ctx context.Context, guild int64, session chat.Session) error {
	return s(ctx, guild, session)
}

// lossyWorld is a service whose messages the test itself sends, or does not. Its history has
// so many messages.
func lossyWorld(t *testing.T, stored int, directory sessions.Directory) (*sessions.Service, *store.Store) {
	t.Helper()
	history, err := store.Open(t.Context(), store.Config{Guilds: 1, Keep: 1000})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, history.Close(context.Background())) })
	add(t, history, stored)
	control, err := sampling.NewControl(sampling.Config{})
	require.NoError(t, err)
	s, err := sessions.New(sessions.Config{
		Directory: directory, History: history, Prefix: "here-", Lossy: true,
		Provider: noop.NewTracerProvider(), Control: control, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Shutdown(context.Background())) })
	return s, history
}

func add(t *testing.T, to *store.Store, n int) {
	t.Helper()
	for range n {
		require.NoError(t, to.Add(t.Context(), &store.Post{Guild: 1, Author: "ann", Content: "x"}))
	}
}

// Messages that were lost on their way come from the history, each once and in order: those
// before the session knew that it was in its guild, those before one that came, and those
// after which none came.
func TestLostMessagesComeFromTheHistory(t *testing.T) {
	var process chat.Session
	s, history := lossyWorld(t, 5, subscribe(func(ctx context.Context, _ int64, session chat.Session) error {
		process = session
		for _, e := range []chat.Event{&chat.MessageCreate{Seq: 3}, &chat.Head{Seq: 4}, &chat.Joined{Last: 2}} {
			if err := session.Send(ctx, e); err != nil {
				return err
			}
		}
		return nil
	}))
	c := newClient(0)
	_, err := s.Connect(t.Context(), 1, sessions.Live, c.take)
	require.NoError(t, err)
	assert.Equal(t, "here-1", process.ID())
	c.waitFor(t, 4)
	assert.Equal(t, []chat.Ready{{Type: chat.TypeReady, Guild: 1, Last: 2}}, c.ready)

	require.NoError(t, process.Send(t.Context(), &chat.Head{Seq: 5}))
	c.waitFor(t, 5)
	add(t, history, 2)
	for _, seq := range []int64{7, 7, 6} { // Some come twice.
		require.NoError(t, process.Send(t.Context(), &chat.MessageCreate{Seq: seq}))
	}
	c.waitFor(t, 7)
	require.NoError(t, process.Send(t.Context(), &chat.MessageCreate{Seq: 8}))
	c.waitFor(t, 8)
	assert.Equal(t, sessions.Counts{Delivered: 6, CaughtUp: 4}, settledOf(t, s, 6), "7 and 8 came by themselves")
}

// A client that comes back gets what it lacks before it is in its guild and afterwards.
func TestAReturningClientWhereMessagesAreLost(t *testing.T) {
	s, _ := lossyWorld(t, 3, subscribe(func(ctx context.Context, _ int64, session chat.Session) error {
		for _, e := range []chat.Event{&chat.MessageCreate{Seq: 4}, &chat.MessageCreate{Seq: 5}, &chat.Joined{Last: 4}} {
			if err := session.Send(ctx, e); err != nil {
				return err
			}
		}
		return nil
	}))
	c := newClient(1)
	_, err := s.Connect(t.Context(), 1, 1, c.take)
	require.NoError(t, err)
	c.waitFor(t, 5)
	assert.Equal(t, sessions.Counts{Delivered: 4, CaughtUp: 2}, settledOf(t, s, 4))
}

// settledOf returns the counts of s when so many messages have been delivered.
func settledOf(t *testing.T, s *sessions.Service, delivered int64) (c sessions.Counts) {
	t.Helper()
	require.Eventually(t, func() bool { c = s.Tally.Counts(); return c.Delivered >= delivered }, patience, time.Millisecond)
	return c
}
