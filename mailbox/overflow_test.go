// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

// fill spawns a process of the given capacity whose handler is held and whose
// mailbox is full.
func fill(
	t *testing.T, sys *mailbox.System, capacity int, opts ...mailbox.KindOption,
) (ref mailbox.Ref[job], release func()) {
	t.Helper()
	ref = spawn(t, sys, "worker", do, append(opts, mailbox.WithCapacity(capacity))...)
	held, entered, release := hold()
	require.NoError(t, ref.Send(t.Context(), held))
	await(t, entered)
	for range capacity {
		require.NoError(t, ref.Send(t.Context(), nothing))
	}
	return ref, release
}

// inBackground calls send on another goroutine and returns where its result arrives.
func inBackground(send func() error) <-chan error {
	result := make(chan error, 1)
	go func() { result <- send() }()
	return result
}

func TestWaitMakesTheSenderWait(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		ref, release := fill(t, sys, 2)
		sent := inBackground(func() error { return ref.Send(t.Context(), nothing) })
		time.Sleep(time.Hour)
		settle()
		require.Empty(t, sent, "the sender did not wait")
		s := sys.Stats()
		assert.EqualValues(t, 1, s.Waiting)
		assert.EqualValues(t, 3, s.Queued)
		assert.EqualValues(t, 3, s.Accepted)

		release()
		require.NoError(t, await(t, sent))
		drain(t, sys)
		s = sys.Stats()
		assert.EqualValues(t, 4, s.Handled)
		assert.Zero(t, s.Refused.Total())
		requireAtRest(t, s)
	})
}

func TestOneMessageHandledIsRoomForOneSender(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		ref := spawn(t, sys, "worker", do, mailbox.WithCapacity(3))
		first, entered, releaseFirst := hold()
		second, enteredSecond, releaseSecond := hold()
		require.NoError(t, ref.Send(t.Context(), first))
		await(t, entered)
		for _, j := range []job{second, nothing, nothing} {
			require.NoError(t, ref.Send(t.Context(), j))
		}
		sent := inBackground(func() error { return ref.Send(t.Context(), nothing) })
		other := inBackground(func() error { return ref.Send(t.Context(), nothing) })
		settle()
		require.EqualValues(t, 2, sys.Stats().Waiting)
		releaseFirst()
		await(t, enteredSecond)
		settle()
		assert.EqualValues(t, 1, sys.Stats().Waiting)
		assert.Equal(t, 1, len(sent)+len(other))
		releaseSecond()
		settle()
		assert.Equal(t, 2, len(sent)+len(other))
		drain(t, sys)
		assert.EqualValues(t, 6, sys.Stats().Handled)
	})
}

func TestWaitEndsWithTheSendersContext(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(ctx context.Context) (context.Context, context.CancelFunc)
		err  error
	}{
		{"cancelled", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(time.Minute, cancel)
			return ctx, cancel
		}, context.Canceled},
		{"deadline", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Minute)
		}, context.DeadlineExceeded},
		{"cancelled before", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx, cancel
		}, context.Canceled},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				sys := newSystem(t)
				ref, release := fill(t, sys, 1)
				ctx, cancel := test.end(t.Context())
				defer cancel()
				handled := false
				err := ref.Send(ctx, func(context.Context) error {
					handled = true
					return nil
				})
				require.ErrorIs(t, err, test.err)
				s := sys.Stats()
				assert.Equal(t, mailbox.Refused{Cancelled: 1}, s.Refused)
				assert.Zero(t, s.Waiting)
				release()
				drain(t, sys)
				assert.False(t, handled, "a refused message was handled")
				requireAtRest(t, sys.Stats())
			})
		})
	}
}

func TestSendWithRoomLooksAtNoContext(t *testing.T) {
	sys := newSystem(t)
	ref := spawn(t, sys, "worker", do)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, ref.Send(ctx, nothing))
	drain(t, sys)
	assert.EqualValues(t, 1, sys.Stats().Handled)
}

func TestFullIsRefused(t *testing.T) {
	for _, test := range []struct {
		name string
		opts []mailbox.KindOption
		send func(ctx context.Context, ref mailbox.Ref[job], j job) error
	}{
		{"Send to Refuse", []mailbox.KindOption{mailbox.WithOverflow(mailbox.Refuse)},
			func(ctx context.Context, ref mailbox.Ref[job], j job) error { return ref.Send(ctx, j) }},
		{"TrySend to Refuse", []mailbox.KindOption{mailbox.WithOverflow(mailbox.Refuse)},
			func(ctx context.Context, ref mailbox.Ref[job], j job) error { return ref.TrySend(ctx, j) }},
		{"TrySend to Wait", nil,
			func(ctx context.Context, ref mailbox.Ref[job], j job) error { return ref.TrySend(ctx, j) }},
		{"Call of Refuse", []mailbox.KindOption{mailbox.WithOverflow(mailbox.Refuse)},
			func(ctx context.Context, ref mailbox.Ref[job], j job) error {
				_, err := mailbox.Call(ctx, ref, func(mailbox.Reply[int]) job { return j })
				return err
			}},
	} {
		t.Run(test.name, func(t *testing.T) {
			sys := newSystem(t)
			ref, release := fill(t, sys, 3, test.opts...)
			handled := false
			err := test.send(t.Context(), ref, func(context.Context) error {
				handled = true
				return nil
			})
			require.ErrorIs(t, err, mailbox.ErrFull)
			assert.Equal(t, mailbox.Refused{Full: 1}, sys.Stats().Refused)
			release()
			drain(t, sys)
			assert.False(t, handled, "a refused message was handled")
			assert.EqualValues(t, 4, sys.Stats().Handled)
		})
	}
}

func TestDropOldestDropsWhatWaitedLongest(t *testing.T) {
	const capacity, sent = 3, 8
	sys := newSystem(t)
	var handled []int
	ref := spawn(t, sys, "worker", do, mailbox.WithCapacity(capacity), mailbox.WithOverflow(mailbox.DropOldest))
	held, entered, release := hold()
	require.NoError(t, ref.Send(t.Context(), held))
	await(t, entered)
	for i := range sent {
		require.NoError(t, ref.Send(t.Context(), func(context.Context) error {
			handled = append(handled, i)
			return nil
		}))
	}
	s := sys.Stats()
	assert.Equal(t, mailbox.DeadLetters{Dropped: sent - capacity}, s.DeadLetters)
	assert.EqualValues(t, capacity+1, s.Queued)
	release()
	drain(t, sys)
	assert.Equal(t, []int{5, 6, 7}, handled)
	s = sys.Stats()
	assert.EqualValues(t, sent+1, s.Accepted)
	assert.EqualValues(t, capacity+1, s.Handled)
	requireAtRest(t, s)
}

// What waited longest is what goes, whatever the process has handled before.
func TestDropOldestDropsTheOldestLaterOnToo(t *testing.T) {
	sys := newSystem(t)
	ref := spawn(t, sys, "worker", do, mailbox.WithCapacity(3), mailbox.WithOverflow(mailbox.DropOldest))
	var handled []int
	note := func(i int) job {
		return func(context.Context) error {
			handled = append(handled, i)
			return nil
		}
	}
	first, entered, releaseFirst := hold()
	second, enteredSecond, releaseSecond := hold()
	require.NoError(t, ref.Send(t.Context(), first))
	await(t, entered)
	for _, j := range []job{second, note(1), note(2)} {
		require.NoError(t, ref.Send(t.Context(), j))
	}
	releaseFirst()
	await(t, enteredSecond)
	for i := 3; i <= 5; i++ {
		require.NoError(t, ref.Send(t.Context(), note(i)))
	}
	releaseSecond()
	drain(t, sys)
	assert.Equal(t, []int{3, 4, 5}, handled)
	assert.Equal(t, mailbox.DeadLetters{Dropped: 2}, sys.Stats().DeadLetters)
}

func TestCapacityIsBesideTheMessageInHand(t *testing.T) {
	for _, capacity := range []int{1, 2, 3, 4, 5, 63, 64, 65} {
		t.Run(fmt.Sprint(capacity), func(t *testing.T) {
			sys := newSystem(t)
			ref, release := fill(t, sys, capacity, mailbox.WithOverflow(mailbox.Refuse))
			require.ErrorIs(t, ref.Send(t.Context(), nothing), mailbox.ErrFull)
			release()
			drain(t, sys)
			assert.EqualValues(t, capacity+1, sys.Stats().Handled)
		})
	}
}

func TestWaitingSendersAreRefusedAtTheEnd(t *testing.T) {
	boom := assert.AnError
	for _, test := range []struct {
		name string
		end  func(ref mailbox.Ref[job])
		last job
	}{
		{"graceful stop", func(ref mailbox.Ref[job]) { go func() { _ = ref.Stop(context.Background()) }() }, nothing},
		{"kill", func(ref mailbox.Ref[job]) { ref.Kill() }, nothing},
		{"failure", func(mailbox.Ref[job]) {}, func(context.Context) error { return boom }},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				sys := newSystem(t)
				ref := spawn(t, sys, "worker", do, mailbox.WithCapacity(1), mailbox.WithErrorPolicy(mailbox.Terminate))
				open, entered := make(chan struct{}), make(chan struct{})
				require.NoError(t, ref.Send(t.Context(), func(ctx context.Context) error {
					close(entered)
					<-open
					return test.last(ctx)
				}))
				await(t, entered)
				require.NoError(t, ref.Send(t.Context(), nothing))
				first := inBackground(func() error { return ref.Send(t.Context(), nothing) })
				second := inBackground(func() error { return ref.Send(t.Context(), nothing) })
				settle()
				require.EqualValues(t, 2, sys.Stats().Waiting)
				test.end(ref)
				if test.name == "failure" {
					close(open)
				}
				require.ErrorIs(t, await(t, first), mailbox.ErrStopped)
				require.ErrorIs(t, await(t, second), mailbox.ErrStopped)
				if test.name != "failure" {
					close(open)
				}
				await(t, ref.Done())
				s := sys.Stats()
				assert.Equal(t, mailbox.Refused{Stopped: 2}, s.Refused)
				requireAtRest(t, s)
			})
		})
	}
}
