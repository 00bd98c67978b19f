// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sessions_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/examples/guild/internal/sessions"
	"github.com/waybill-go/waybill/examples/guild/internal/trouble"
)

// ended waits for the end of a session, and returns why it ended.
func ended(t *testing.T, session chat.Session) error {
	t.Helper()
	select {
	case <-session.Done():
	case <-time.After(patience):
		require.Fail(t, "the session lives on")
	}
	return session.Err()
}

// A session that panics takes no message with it: its client comes back and goes on.
func TestAPanicOnPurposeLosesNoMessage(t *testing.T) {
	w := newWorld(t, 10_000)
	c := newClient(0)
	session, err := w.Connect(t.Context(), 1, sessions.Live, c.take)
	require.NoError(t, err)
	w.post(1, "x")
	c.waitFor(t, 1)
	require.NoError(t, w.trouble.Begin(trouble.PanicSession, nil))
	w.post(1, "x")
	require.ErrorIs(t, ended(t, session), trouble.ErrOnPurpose)
	assert.EqualValues(t, 1, c.last)
	_, err = w.Connect(t.Context(), 1, c.last, c.take)
	require.NoError(t, err)
	w.post(1, "x")
	c.waitFor(t, 3)
}

// A session that hangs has its mailbox full, which costs it the messages that come, and
// its client none of them.
func TestAMailboxFilledOnPurposeLosesNoMessage(t *testing.T) {
	w := newWorld(t, 10_000)
	c, other := newClient(0), newClient(0)
	session, err := w.Connect(t.Context(), 1, sessions.Live, c.take)
	require.NoError(t, err)
	require.NoError(t, w.trouble.Begin(trouble.FullMailbox, nil))
	w.post(1, "x")
	require.Eventually(t, func() bool { return w.Stats().Queued > capacity }, patience, time.Millisecond)
	_, err = w.Connect(t.Context(), 1, sessions.Live, other.take)
	require.NoError(t, err)
	assert.EqualValues(t, 1, w.post(1, "x"), "the mailbox has no room for it")
	other.waitFor(t, 2)
	require.NoError(t, w.trouble.End(trouble.FullMailbox))
	c.waitFor(t, 1)
	require.ErrorIs(t, ended(t, session), chat.ErrBehind)
	_, err = w.Connect(t.Context(), 1, c.last, c.take)
	require.NoError(t, err)
	c.waitFor(t, 2)
}

func TestASessionSlowedOnPurposeIsSlow(t *testing.T) {
	w := newWorld(t, 10_000)
	c := newClient(0)
	_, err := w.Connect(t.Context(), 1, sessions.Live, c.take)
	require.NoError(t, err)
	require.NoError(t, w.trouble.Begin(trouble.SlowSessions, trouble.Order{trouble.OneIn: 1, trouble.DelayMS: 100}))
	w.post(3, "x")
	c.waitFor(t, 3)
	require.Eventually(t, func() bool { return w.Latency.Quantile(1) > 250*time.Millisecond }, patience, time.Millisecond,
		"the last one has waited for the others")
}
