// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

// A handler learns from its context who it is, and can spawn and call with it.
func TestHandlersKnowThemselves(t *testing.T) {
	sys := newSystem(t)
	ref := spawnAs(t, sys, "parent", "p-1", do)
	said := make(chan string, 1)
	require.NoError(t, ref.Send(t.Context(), func(ctx context.Context) error {
		ctx = context.WithValue(ctx, key{}, "derived") // As users and spans do.
		self, ok := mailbox.Self[job](ctx)
		assert.True(t, ok)
		assert.Equal(t, ref, self)
		assert.Equal(t, "parent", self.Kind())
		assert.Equal(t, "p-1", self.ID())
		_, ok = mailbox.Self[string](ctx)
		assert.False(t, ok, "it takes other messages")

		own, ok := mailbox.SystemOf(ctx)
		assert.True(t, ok)
		assert.Same(t, sys, own)
		child, err := mailbox.Spawn(own, "child", func(_ context.Context, s string) error {
			said <- s
			return nil
		})
		return errors.Join(err, child.Send(ctx, "hello"))
	}))
	assert.Equal(t, "hello", await(t, said))
	drain(t, sys)
}

type key struct{}

// A context that outlives its handler answers, whatever it is asked: when the
// process is idle, when it was never more than that, and when it has ended.
func TestContextOfAHandlerThatHasReturned(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		for name, traced := range map[string]bool{"untraced": false, "traced": true} {
			sys := rec.system()
			ref := spawn(t, sys, "worker", do)
			ctx := context.Background()
			if traced {
				sampled, root := rec.start()
				root.End()
				ctx = sampled
			}
			late := contextIn(t, ctx, ref)
			settle()
			asked := func(when string) {
				_, ok := mailbox.SentAt(late)
				assert.False(t, ok, "%s, %s", name, when)
				self, ok := mailbox.Self[job](late)
				assert.True(t, ok)
				assert.Equal(t, ref, self)
				_, ok = mailbox.SystemOf(late)
				assert.True(t, ok)
				_, ok = late.Deadline()
				assert.False(t, ok)
			}
			asked("idle")
			assert.NoError(t, late.Err())
			drain(t, sys)
			asked("ended")
			assert.Error(t, late.Err())
			assert.ErrorIs(t, ref.Send(late, nothing), mailbox.ErrStopped)
			_, err := call(late, ref, unanswered(nothing))
			assert.Error(t, err)
		}
	})
}

// sentAt returns a job that tells when it was sent.
func sentAt(t *testing.T) (job, <-chan time.Time) {
	t.Helper()
	when := make(chan time.Time, 100)
	return func(ctx context.Context) error {
		at, ok := mailbox.SentAt(ctx)
		assert.True(t, ok)
		when <- at
		return nil
	}, when
}

// Every handler learns when its message was sent, traced or not, and however
// long ago that was.
func TestSentAtOfUntracedMessages(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		ref := spawn(t, sys, "truck", do)
		tell, when := sentAt(t)

		time.Sleep(time.Hour) // Idle for long.
		require.NoError(t, ref.Send(t.Context(), tell))
		assert.True(t, time.Now().Equal(await(t, when)))

		release := keepBusy(t, ref)
		var sent []time.Time
		for i := range 300 { // Enough for the coarse clock to take over.
			if i%100 == 0 {
				time.Sleep(10 * time.Second)
				sent = append(sent, time.Now())
				require.NoError(t, ref.Send(t.Context(), tell))
			}
			sendAll(t, ref, nothing)
		}
		release()
		for _, want := range sent {
			assert.WithinDuration(t, want, await(t, when), 2*time.Millisecond)
		}
		drain(t, sys)
	})
}

func TestSentAtOfTracedMessagesTimersAndCalls(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := record(t)
		sys := r.system()
		ref := spawn(t, sys, "truck", do)
		tell, when := sentAt(t)

		ctx, span := r.start()
		defer span.End()
		held, entered, release := hold()
		require.NoError(t, ref.Send(ctx, held))
		await(t, entered)
		sendAll(t, ref, nothings(128)...) // Enough for the coarse clock to take over.
		time.Sleep(123 * time.Microsecond)
		sent := time.Now()
		require.NoError(t, ref.Send(ctx, tell))
		time.Sleep(time.Second)
		release()
		assert.True(t, sent.Equal(await(t, when)), "to the nanosecond")

		due := time.Now().Add(time.Minute)
		ref.SendAfter(t.Context(), time.Minute, tell)
		time.Sleep(time.Minute)
		assert.True(t, due.Equal(await(t, when)))

		_, err := call(t.Context(), ref, answering(tell))
		require.NoError(t, err)
		assert.True(t, time.Now().Equal(await(t, when)))
		drain(t, sys)
	})
}

func TestNothingIsKnownOutsideOfHandlers(t *testing.T) {
	_, ok := mailbox.SentAt(t.Context())
	assert.False(t, ok)
	_, ok = mailbox.SystemOf(t.Context())
	assert.False(t, ok)
	_, ok = mailbox.Self[job](t.Context())
	assert.False(t, ok)
}
