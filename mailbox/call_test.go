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

// What becomes of calls is in TestModel. Here is what that leaves out.

func TestCallOfOneself(t *testing.T) {
	sys := newSystem(t)
	ref := spawn(t, sys, "worker", do)
	built := 0
	got, err := mailbox.Call(t.Context(), ref, func(r mailbox.Reply[int]) job {
		built++
		return func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, time.Hour)
			defer cancel()
			_, err := call(ctx, ref, answer)
			assert.ErrorIs(t, err, mailbox.ErrSelfCall)
			return answer(ctx, r)
		}
	})
	require.NoError(t, err)
	assert.Equal(t, 1, got)
	assert.Equal(t, 1, built)
	drain(t, sys)
	assert.EqualValues(t, 1, sys.Stats().Accepted)
}

func TestRepliesWithoutACallerOrAnError(t *testing.T) {
	var r mailbox.Reply[int]
	assert.False(t, r.Answer(1))
	assert.False(t, r.Fail(assert.AnError))
	_, err := call(t.Context(), spawn(t, newSystem(t), "worker", do), func(_ context.Context, r mailbox.Reply[int]) error {
		assert.True(t, r.Fail(nil))
		return nil
	})
	require.Error(t, err, "it failed all the same")
}

func TestCallExpiredAsItsTurnComesIsNotHandled(t *testing.T) {
	// The process comes to the call the moment after its deadline, and maybe
	// before the caller has noticed. Whoever is first, the handler does not
	// begin what nobody waits for.
	for range 200 {
		inBubble(t, func(t *testing.T) {
			sys := newSystem(t)
			ref := spawn(t, sys, "worker", do)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			require.NoError(t, ref.Send(t.Context(), func(context.Context) error {
				<-ctx.Done()
				return nil
			}))
			_, err := call(ctx, ref, func(context.Context, mailbox.Reply[int]) error {
				assert.Fail(t, "nobody waits for it")
				return nil
			})
			require.ErrorIs(t, err, context.DeadlineExceeded)
			drain(t, sys)
			assert.Equal(t, mailbox.DeadLetters{Expired: 1}, sys.Stats().DeadLetters)
		})
	}
}

func TestHandlerOfACallHasTheCallersDeadline(t *testing.T) {
	for range 100 { // Two timers fire at the same time: whichever is first, the error is one.
		inBubble(t, func(t *testing.T) {
			sys := newSystem(t)
			ref := spawn(t, sys, "worker", do)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			want, _ := ctx.Deadline()
			var got time.Time
			var has bool
			var err, cause error
			var took time.Duration
			_, callErr := call(ctx, ref, func(ctx context.Context, _ mailbox.Reply[int]) error {
				elapsed := stopwatch()
				got, has = ctx.Deadline()
				<-ctx.Done()
				took, err, cause = elapsed(), ctx.Err(), context.Cause(ctx)
				return nil
			})
			require.ErrorIs(t, callErr, context.DeadlineExceeded)
			drain(t, sys)
			assert.True(t, has)
			assert.Equal(t, want, got)
			assert.Equal(t, time.Second, took)
			require.Equal(t, context.DeadlineExceeded, err)
			require.Equal(t, context.DeadlineExceeded, cause)
		})
	}
}

func TestHandlerOfASendHasNothingOfTheSenders(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		ref := spawn(t, sys, "worker", do)
		type key struct{}
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, 1), time.Second)
		open := make(chan struct{})
		var err error
		var value any
		require.NoError(t, ref.Send(ctx, func(ctx context.Context) error {
			_, has := ctx.Deadline()
			assert.False(t, has)
			<-open
			err, value = ctx.Err(), ctx.Value(key{})
			return nil
		}))
		cancel()
		time.Sleep(time.Minute)
		close(open)
		drain(t, sys)
		assert.NoError(t, err)
		assert.Nil(t, value)
	})
}

// The context of a call's handler lasts until both have come to their ends: the
// handler, and the call.
func TestContextOfACallLastsAsLongAsItIsNeeded(t *testing.T) {
	t.Run("answered later by another", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			ref := spawn(t, newSystem(t), "worker", do)
			caller, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var handlers context.Context
			_, err := call(caller, ref, func(ctx context.Context, r mailbox.Reply[int]) error {
				handlers = ctx
				time.AfterFunc(time.Second, func() { // Long after we returned.
					assert.NoError(t, ctx.Err())
					assert.True(t, r.Answer(9))
				})
				return nil
			})
			require.NoError(t, err)
			await(t, handlers.Done())
			assert.Equal(t, context.Canceled, handlers.Err())
		})
	})
	t.Run("its handler goes on", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			sys := newSystem(t)
			ref := spawn(t, sys, "worker", do)
			caller, cancel := context.WithCancel(t.Context())
			defer cancel()
			_, err := call(caller, ref, func(ctx context.Context, r mailbox.Reply[int]) error {
				r.Answer(1)
				time.Sleep(time.Second)
				assert.NoError(t, ctx.Err())
				return nil
			})
			require.NoError(t, err)
			drain(t, sys)
		})
	})
}
