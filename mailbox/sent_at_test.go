// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

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

		held, entered, release := hold()
		require.NoError(t, ref.Send(t.Context(), held))
		await(t, entered)
		var sent []time.Time
		for i := range 300 { // Enough for the coarse clock to take over.
			if i%100 == 0 {
				time.Sleep(10 * time.Second)
				sent = append(sent, time.Now())
				require.NoError(t, ref.Send(t.Context(), tell))
			}
			require.NoError(t, ref.Send(t.Context(), nothing))
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
		for range 128 { // Enough for the coarse clock to take over.
			require.NoError(t, ref.Send(context.Background(), nothing))
		}
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

		_, err := mailbox.Call(t.Context(), ref, func(r mailbox.Reply[int]) job {
			return func(ctx context.Context) error {
				r.Answer(0)
				return tell(ctx)
			}
		})
		require.NoError(t, err)
		assert.True(t, time.Now().Equal(await(t, when)))
		drain(t, sys)
	})
}

func TestSentAtOutsideOfHandlers(t *testing.T) {
	_, ok := mailbox.SentAt(t.Context())
	assert.False(t, ok)
	_, ok = mailbox.SystemOf(t.Context())
	assert.False(t, ok)
}
