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

func TestCallExpiredInTheQueueIsNotHandled(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		ref := spawn(t, sys, "oracle", answerAsk)
		entered, open := make(chan struct{}), make(chan struct{})
		require.NoError(t, ref.Send(t.Context(), ask{do: block(entered, open)}))
		await(t, entered)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		elapsed := stopwatch()
		_, err := call(ctx, ref, func(context.Context, mailbox.Reply[int]) error {
			assert.Fail(t, "nobody waits for it")
			return nil
		})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Second, elapsed())
		close(open)
		drain(t, sys)
		s := sys.Stats()
		assert.Equal(t, mailbox.DeadLetters{Expired: 1}, s.DeadLetters)
		assert.EqualValues(t, 1, s.Handled)
		requireAtRest(t, s)
	})
}

func TestCallExpiredAsItsTurnComesIsNotHandled(t *testing.T) {
	// The process comes to the call the moment after its deadline, and maybe
	// before the caller has noticed. Whoever is first, the handler does not
	// begin what nobody waits for.
	for range 200 {
		inBubble(t, func(t *testing.T) {
			sys := newSystem(t)
			ref := spawn(t, sys, "oracle", answerAsk)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			require.NoError(t, ref.Send(t.Context(), ask{do: func(context.Context, mailbox.Reply[int]) error {
				<-ctx.Done()
				return nil
			}}))
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
			ref := spawn(t, sys, "oracle", answerAsk)
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

func TestHandlerOfACallHasTheCallersCancellation(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		ref := spawn(t, sys, "oracle", answerAsk)
		why := errors.New("changed my mind")
		ctx, cancel := context.WithCancelCause(t.Context())
		var err, cause error
		result := inBackground(func() error {
			_, err := call(ctx, ref, func(ctx context.Context, _ mailbox.Reply[int]) error {
				<-ctx.Done()
				err, cause = ctx.Err(), context.Cause(ctx)
				return nil
			})
			return err
		})
		settle()
		cancel(why)
		require.ErrorIs(t, await(t, result), context.Canceled)
		drain(t, sys)
		assert.Equal(t, context.Canceled, err)
		assert.Equal(t, why, cause)
	})
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

func TestLateReplyIsCountedAndDropped(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		ref := spawn(t, sys, "oracle", answerAsk)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		answered := make(chan bool, 1)
		answer, err := call(ctx, ref, func(_ context.Context, r mailbox.Reply[int]) error {
			time.Sleep(2 * time.Second)
			answered <- r.Answer(1)
			return nil
		})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Zero(t, answer)
		drain(t, sys)
		assert.False(t, await(t, answered))
		s := sys.Stats()
		assert.EqualValues(t, 1, s.LateReplies)
		assert.EqualValues(t, 1, s.Handled)
	})
}

func TestCallWithoutAnAnswerLastsAsLongAsItsCaller(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		ref := spawn(t, sys, "oracle", answerAsk)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		elapsed := stopwatch()
		_, err := call(ctx, ref, func(context.Context, mailbox.Reply[int]) error { return nil })
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Hour, elapsed())
		drain(t, sys)
	})
}

func TestCallAnsweredLaterByAnother(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		ref := spawn(t, sys, "oracle", answerAsk)
		caller, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var during, after error
		ended := make(chan struct{})
		handedOver := make(chan struct{})
		answer, err := call(caller, ref, func(ctx context.Context, r mailbox.Reply[int]) error {
			go func() {
				defer close(ended)
				<-handedOver
				during = ctx.Err()
				assert.True(t, r.Answer(9))
				<-ctx.Done() // The call is over and so is its context.
				after = ctx.Err()
			}()
			time.AfterFunc(time.Second, func() { close(handedOver) }) // Long after we returned.
			return nil
		})
		require.NoError(t, err)
		assert.Equal(t, 9, answer)
		await(t, ended)
		assert.NoError(t, during, "the context must outlive the handler until the answer")
		assert.Equal(t, context.Canceled, after)
		drain(t, sys)
		assert.EqualValues(t, 1, sys.Stats().Handled)
	})
}

func TestHandlerMayGoOnAfterItsAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		ref := spawn(t, sys, "oracle", answerAsk)
		caller, cancel := context.WithCancel(t.Context())
		answered := make(chan struct{})
		var err error
		_, callErr := call(caller, ref, func(ctx context.Context, r mailbox.Reply[int]) error {
			r.Answer(1)
			<-answered
			time.Sleep(time.Second)
			err = ctx.Err()
			return nil
		})
		require.NoError(t, callErr)
		close(answered)
		drain(t, sys)
		assert.NoError(t, err)
		cancel()
	})
}

func TestWaitingCallEndsWithItsCaller(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		ref := spawn(t, sys, "oracle", answerAsk, mailbox.WithCapacity(1))
		entered, open := make(chan struct{}), make(chan struct{})
		require.NoError(t, ref.Send(t.Context(), ask{do: block(entered, open)}))
		await(t, entered)
		require.NoError(t, ref.Send(t.Context(), ask{do: func(context.Context, mailbox.Reply[int]) error { return nil }}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := call(ctx, ref, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, mailbox.Refused{Cancelled: 1}, sys.Stats().Refused)
		close(open)
		drain(t, sys)
		assert.EqualValues(t, 2, sys.Stats().Handled)
	})
}
