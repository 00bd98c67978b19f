// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sessions_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/examples/guild/internal/sessions"
)

// capacity is how many messages wait in a session's mailbox.
const capacity = 128

func TestClientsGoOnFromWhereTheyWere(t *testing.T) {
	w := newWorld(t, 10_000)
	w.post(250, "x")
	for _, test := range []struct {
		since, last int64
	}{
		{0, 0}, {100, 100}, {249, 249}, {250, 250}, {sessions.Live, 250},
		{251, 250}, {1 << 62, 250}, // Of another history: the client sees that it is less.
	} {
		c := newClient(test.since)
		_, err := w.Connect(t.Context(), 1, test.since, c.take)
		require.NoError(t, err)
		c.waitFor(t, 250)
		assert.Equal(t, []chat.Ready{{Type: chat.TypeReady, Guild: 1, Last: test.last}}, c.ready)
	}
	counts := settled(t, w, 250+150+1)
	assert.EqualValues(t, 250+150+1, counts.CaughtUp)
	assert.Equal(t, counts.CaughtUp, counts.Delivered)
	_, err := w.Connect(t.Context(), 2, 0, newClient(0).take)
	require.ErrorIs(t, err, chat.ErrUnknownGuild)
	_, err = w.Connect(t.Context(), 2, sessions.Live, newClient(0).take)
	require.ErrorIs(t, err, chat.ErrUnknownGuild)
}

// Clients that come while messages do get each once and in order, those of the
// history as well as those of now.
func TestHistoryAndNowHaveNoSeam(t *testing.T) {
	const messages, clients = 800, 16
	w := newWorld(t, 10_000)
	posted := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		defer close(posted)
		for range messages {
			w.post(1, "x")
		}
	})
	for i := range clients {
		group.Go(func() {
			c := newClient(0)
			// They come all along.
			for last := int64(0); last < int64(i)*messages/clients; {
				select {
				case <-time.After(time.Millisecond):
				case <-posted:
				}
				var err error
				last, err = w.store.Last(t.Context(), 1)
				assert.NoError(t, err)
			}
			_, err := w.Connect(t.Context(), 1, 0, c.take)
			assert.NoError(t, err)
			c.waitFor(t, messages)
		})
	}
	group.Wait()
	counts := settled(t, w, messages*clients) // A delivery is counted once the client has it.
	assert.EqualValues(t, messages*clients, counts.Delivered)
	assert.Positive(t, counts.CaughtUp)
	assert.Less(t, counts.CaughtUp, counts.Delivered)
	assert.Zero(t, counts.Behind)
}

// A client that does not take its messages loses its session, and no message: it
// comes back and goes on.
func TestASessionThatCannotKeepUpEnds(t *testing.T) {
	for _, test := range []struct {
		name string
		more int // messages after those that were refused
	}{
		{"and more come", 1},
		{"and no more come", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, 10_000)
			c, other := newClient(0), newClient(0)
			c.block = make(chan struct{})
			_, err := w.Connect(t.Context(), 1, sessions.Live, other.take)
			require.NoError(t, err)
			session, err := w.Connect(t.Context(), 1, sessions.Live, c.take)
			require.NoError(t, err)
			c.block <- struct{}{} // It has its chat.Ready.
			posted := 0
			for w.post(1, "x") == 0 {
				posted++
				require.LessOrEqual(t, posted, capacity+2)
				other.waitFor(t, int64(posted))
			}
			close(c.block)
			c.waitFor(t, int64(posted))
			w.post(test.more, "x")
			select {
			case <-session.Done():
			case <-time.After(patience):
				require.Fail(t, "the session lives on")
			}
			require.ErrorIs(t, session.Err(), chat.ErrBehind)
			all := int64(posted + 1 + test.more)
			assert.EqualValues(t, posted, c.last, "nothing beyond the gap")
			assert.Equal(t, sessions.Counts{Delivered: int64(posted) + all, Behind: 1}, settled(t, w, int64(posted)+all))

			_, err = w.Connect(t.Context(), 1, c.last, c.take)
			require.NoError(t, err)
			c.waitFor(t, all)
			w.post(1, "x")
			c.waitFor(t, all+1)
			other.waitFor(t, all+1)
		})
	}
}

// settled returns the counts when so many messages have been delivered.
func settled(t *testing.T, w *world, delivered int64) (c sessions.Counts) {
	t.Helper()
	require.Eventually(t, func() bool { c = w.Tally.Counts(); return c.Delivered >= delivered }, patience, time.Millisecond)
	return c
}

// Who comes for messages that are no longer stored is told how many those are.
func TestClientsAreToldWhatIsGone(t *testing.T) {
	w := newWorld(t, 10)
	w.post(100, "x") // The last one's delivery is not written yet, so 90 is still there.
	messages, err := w.store.Messages(t.Context(), 1, 0, 1)
	require.NoError(t, err)
	first := messages[0].Seq
	require.Greater(t, first, int64(80))
	c := newClient(50)
	_, err = w.Connect(t.Context(), 1, 50, c.take)
	require.NoError(t, err)
	c.waitFor(t, 100)
	assert.Equal(t, []chat.Ready{{Type: chat.TypeReady, Guild: 1, Last: first - 1, Missed: first - 51}}, c.ready)
	assert.Equal(t, first-51, w.Tally.Counts().Gone)
}

// A client that is slower than the store forgets is told so as well.
func TestAClientThatTheHistoryOutrunsIsBehind(t *testing.T) {
	w := newWorld(t, 10)
	w.post(10, "x")
	c := newClient(0)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err := w.Connect(ctx, 1, 0, func(ctx context.Context, e chat.Event) error {
		if _, ok := e.(*chat.MessageCreate); ok {
			w.post(20, "x")
		}
		return c.take(ctx, e)
	})
	require.ErrorIs(t, err, chat.ErrBehind)
	require.NoError(t, c.wrong)
	assert.EqualValues(t, 1, w.Tally.Counts().Behind)
}

// A client that catches up does not hold up the end of the service.
func TestShutdownDoesNotWaitForWhoCatchesUp(t *testing.T) {
	w := newWorld(t, 10_000)
	w.post(10, "x")
	c := newClient(0)
	c.block = make(chan struct{})
	ended := make(chan error)
	go func() {
		_, err := w.Connect(t.Context(), 1, 0, c.take)
		ended <- err
	}()
	c.block <- struct{}{}
	c.block <- struct{}{}
	require.NoError(t, w.Shutdown(t.Context()))
	require.ErrorIs(t, <-ended, sessions.ErrClosed)
	_, err := w.Connect(t.Context(), 1, 0, c.take)
	require.ErrorIs(t, err, sessions.ErrClosed)
}
