// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

// ask is a message that says how the handler answers it.
type ask struct {
	reply mailbox.Reply[int]
	do    func(ctx context.Context, reply mailbox.Reply[int]) error
}

func answerAsk(ctx context.Context, a ask) error { return a.do(ctx, a.reply) }

// call calls ref and has its handler do f.
func call(
	ctx context.Context, ref mailbox.Ref[ask], f func(ctx context.Context, reply mailbox.Reply[int]) error,
) (int, error) {
	return mailbox.Call(ctx, ref, func(r mailbox.Reply[int]) ask { return ask{r, f} })
}

// block is what a handler does to be in the way: nothing, until open is closed.
func block(entered chan<- struct{}, open <-chan struct{}) func(context.Context, mailbox.Reply[int]) error {
	return func(context.Context, mailbox.Reply[int]) error {
		close(entered)
		<-open
		return nil
	}
}

func TestCallReturnsWhatTheHandlerMadeOfIt(t *testing.T) {
	for _, test := range []struct {
		name   string
		do     func(ctx context.Context, reply mailbox.Reply[int]) error
		answer int
		check  func(t *testing.T, err error)
		failed uint64
	}{
		{"answer", func(_ context.Context, r mailbox.Reply[int]) error {
			assert.True(t, r.Answer(7))
			return nil
		}, 7, func(t *testing.T, err error) { t.Helper(); assert.NoError(t, err) }, 0},
		{"Fail", func(_ context.Context, r mailbox.Reply[int]) error {
			assert.True(t, r.Fail(assert.AnError))
			return nil
		}, 0, func(t *testing.T, err error) { t.Helper(); assert.Equal(t, assert.AnError, err) }, 0},
		{"Fail without an error", func(_ context.Context, r mailbox.Reply[int]) error {
			assert.True(t, r.Fail(nil))
			return nil
		}, 0, func(t *testing.T, err error) { t.Helper(); assert.Error(t, err) }, 0},
		{"handler error", func(context.Context, mailbox.Reply[int]) error { return assert.AnError },
			0, func(t *testing.T, err error) { t.Helper(); assert.ErrorIs(t, err, assert.AnError) }, 1},
		{"answer before an error", func(_ context.Context, r mailbox.Reply[int]) error {
			r.Answer(8)
			return assert.AnError
		}, 8, func(t *testing.T, err error) { t.Helper(); assert.NoError(t, err) }, 1},
		{"panic", func(context.Context, mailbox.Reply[int]) error { panic("boom") },
			0, func(t *testing.T, err error) {
				t.Helper()
				var panicked *mailbox.PanicError
				if assert.ErrorAs(t, err, &panicked) {
					assert.Equal(t, "boom", panicked.Value)
				}
			}, 1},
		{"Goexit", func(context.Context, mailbox.Reply[int]) error {
			runtime.Goexit()
			return nil
		}, 0, func(t *testing.T, err error) { t.Helper(); assert.ErrorIs(t, err, mailbox.ErrGoexit) }, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			sys := newSystem(t)
			ref := spawn(t, sys, "oracle", answerAsk)
			answer, err := call(t.Context(), ref, test.do)
			assert.Equal(t, test.answer, answer)
			test.check(t, err)
			drain(t, sys)
			s := sys.Stats()
			assert.EqualValues(t, 1, s.Accepted)
			assert.Equal(t, test.failed, s.Failed)
			requireAtRest(t, s)
		})
	}
}

func TestCallOfOneself(t *testing.T) {
	sys := newSystem(t)
	ref := spawn(t, sys, "oracle", answerAsk)
	answer, err := call(t.Context(), ref, func(ctx context.Context, r mailbox.Reply[int]) error {
		ctx, cancel := context.WithTimeout(ctx, time.Hour)
		defer cancel()
		_, err := call(ctx, ref, func(context.Context, mailbox.Reply[int]) error { return nil })
		assert.ErrorIs(t, err, mailbox.ErrSelfCall)
		r.Answer(1)
		return nil
	})
	require.NoError(t, err)
	assert.Equal(t, 1, answer)
	drain(t, sys)
	assert.EqualValues(t, 1, sys.Stats().Accepted)
}

func TestCallOfAnotherProcessFromAHandler(t *testing.T) {
	sys := newSystem(t)
	back := spawn(t, sys, "back", answerAsk)
	front := spawn(t, sys, "front", answerAsk)
	answer, err := call(t.Context(), front, func(ctx context.Context, r mailbox.Reply[int]) error {
		n, err := call(ctx, back, func(_ context.Context, r mailbox.Reply[int]) error {
			r.Answer(20)
			return nil
		})
		r.Answer(n + 1)
		return err
	})
	require.NoError(t, err)
	assert.Equal(t, 21, answer)
	drain(t, sys)
}

func TestCallAnsweredTwice(t *testing.T) {
	sys := newSystem(t)
	ref := spawn(t, sys, "oracle", answerAsk)
	answer, err := call(t.Context(), ref, func(_ context.Context, r mailbox.Reply[int]) error {
		assert.True(t, r.Answer(1))
		assert.False(t, r.Answer(2))
		assert.False(t, r.Fail(errors.New("three")))
		return nil
	})
	require.NoError(t, err)
	assert.Equal(t, 1, answer)
	drain(t, sys)
	assert.Zero(t, sys.Stats().LateReplies, "the caller was there")
}

func TestZeroReplyIsNobodys(t *testing.T) {
	var r mailbox.Reply[int]
	assert.False(t, r.Answer(1))
	assert.False(t, r.Fail(assert.AnError))
}

func TestCallBuildsItsMessageOnce(t *testing.T) {
	sys := newSystem(t)
	ref := spawn(t, sys, "oracle", answerAsk)
	built := 0
	_, err := mailbox.Call(t.Context(), ref, func(r mailbox.Reply[int]) ask {
		built++
		return ask{r, func(_ context.Context, r mailbox.Reply[int]) error {
			r.Answer(1)
			return nil
		}}
	})
	require.NoError(t, err)
	assert.Equal(t, 1, built)
	drain(t, sys)
}

func TestCallOfADeadProcess(t *testing.T) {
	sys := newSystem(t)
	ref := spawn(t, sys, "oracle", answerAsk)
	require.NoError(t, ref.Stop(t.Context()))
	_, err := call(t.Context(), ref, nil)
	require.ErrorIs(t, err, mailbox.ErrStopped)
	assert.Equal(t, mailbox.Refused{Stopped: 1}, sys.Stats().Refused)
	_, err = call(t.Context(), mailbox.Ref[ask]{}, nil)
	require.ErrorIs(t, err, mailbox.ErrStopped)
}

func TestQueuedCallEndsWithItsProcess(t *testing.T) {
	for _, test := range []struct {
		name  string
		end   func(ref mailbox.Ref[ask])
		after error // of the message in hand
		dead  mailbox.DeadLetters
	}{
		{"killed", func(ref mailbox.Ref[ask]) { ref.Kill() }, nil, mailbox.DeadLetters{Killed: 1}},
		{"failed", func(mailbox.Ref[ask]) {}, assert.AnError, mailbox.DeadLetters{Failed: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				sys := newSystem(t)
				ref := spawn(t, sys, "oracle", answerAsk, mailbox.WithErrorPolicy(mailbox.Terminate))
				entered, open := make(chan struct{}), make(chan struct{})
				require.NoError(t, ref.Send(t.Context(), ask{do: func(ctx context.Context, r mailbox.Reply[int]) error {
					_ = block(entered, open)(ctx, r)
					return test.after
				}}))
				await(t, entered)
				result := inBackground(func() error {
					_, err := call(t.Context(), ref, func(context.Context, mailbox.Reply[int]) error {
						assert.Fail(t, "a dead letter was handled")
						return nil
					})
					return err
				})
				settle()
				test.end(ref)
				settle()
				assert.Empty(t, result, "the process has not ended yet")
				close(open)
				require.ErrorIs(t, await(t, result), mailbox.ErrStopped)
				await(t, ref.Done())
				s := sys.Stats()
				assert.Equal(t, test.dead, s.DeadLetters)
				requireAtRest(t, s)
			})
		})
	}
}

func TestQueuedCallIsAnsweredAfterAGracefulStop(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		ref := spawn(t, sys, "oracle", answerAsk)
		entered, open := make(chan struct{}), make(chan struct{})
		require.NoError(t, ref.Send(t.Context(), ask{do: block(entered, open)}))
		await(t, entered)
		result := inBackground(func() error {
			_, err := call(t.Context(), ref, func(_ context.Context, r mailbox.Reply[int]) error {
				r.Answer(1)
				return nil
			})
			return err
		})
		settle()
		stopped := inBackground(func() error { return ref.Stop(t.Context()) })
		settle()
		close(open)
		require.NoError(t, await(t, result))
		require.NoError(t, await(t, stopped))
	})
}

func TestCallInHandOfAKilledProcess(t *testing.T) {
	for _, test := range []struct {
		name string
		do   func(ctx context.Context, r mailbox.Reply[int]) error
		err  error
	}{
		{"unanswered", func(ctx context.Context, _ mailbox.Reply[int]) error {
			<-ctx.Done()
			return nil
		}, mailbox.ErrStopped},
		{"failed", func(ctx context.Context, _ mailbox.Reply[int]) error {
			<-ctx.Done()
			return ctx.Err()
		}, context.Canceled},
		{"answered", func(ctx context.Context, r mailbox.Reply[int]) error {
			<-ctx.Done()
			r.Answer(1)
			return nil
		}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				sys := newSystem(t)
				ref := spawn(t, sys, "oracle", answerAsk)
				result := inBackground(func() error {
					_, err := call(t.Context(), ref, test.do)
					return err
				})
				settle()
				ref.Kill()
				require.ErrorIs(t, await(t, result), test.err)
				await(t, ref.Done())
				require.ErrorIs(t, ref.Err(), mailbox.ErrKilled)
			})
		})
	}
}

func TestDroppedCallFails(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		ref := spawn(t, sys, "oracle", answerAsk, mailbox.WithCapacity(1), mailbox.WithOverflow(mailbox.DropOldest))
		entered, open := make(chan struct{}), make(chan struct{})
		require.NoError(t, ref.Send(t.Context(), ask{do: block(entered, open)}))
		await(t, entered)
		result := inBackground(func() error {
			_, err := call(t.Context(), ref, nil)
			return err
		})
		settle()
		require.NoError(t, ref.Send(t.Context(), ask{do: func(context.Context, mailbox.Reply[int]) error { return nil }}))
		require.ErrorIs(t, await(t, result), mailbox.ErrDropped)
		close(open)
		drain(t, sys)
		assert.Equal(t, mailbox.DeadLetters{Dropped: 1}, sys.Stats().DeadLetters)
	})
}
