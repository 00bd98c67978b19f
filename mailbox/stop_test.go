// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

func TestGracefulStopHandlesWhatWasAccepted(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		ref, release := fill(t, sys, 5)
		stopped := inBackground(func() error { return ref.Stop(t.Context()) })
		settle()
		assert.Empty(t, stopped, "it did not wait for what was accepted")
		require.ErrorIs(t, ref.Send(t.Context(), nothing), mailbox.ErrStopped)
		require.ErrorIs(t, ref.TrySend(t.Context(), nothing), mailbox.ErrStopped)
		select {
		case <-ref.Done():
			assert.Fail(t, "done before the end")
		default:
		}
		release()
		require.NoError(t, await(t, stopped))
		await(t, ref.Done())
		require.NoError(t, ref.Err())
		s := sys.Stats()
		assert.EqualValues(t, 6, s.Handled)
		assert.Equal(t, mailbox.Refused{Stopped: 2}, s.Refused)
		assert.Zero(t, s.Processes)
		requireAtRest(t, s)
	})
}

func TestGracefulStopLeavesTheContextAlone(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		ref := spawn(t, sys, "worker", do)
		open := make(chan struct{})
		var during, after error
		kept := make(chan context.Context, 1)
		for range 2 { // The one in hand, and one that is waiting at the stop.
			require.NoError(t, ref.Send(t.Context(), func(ctx context.Context) error {
				<-open
				select {
				case <-ctx.Done():
					during = ctx.Err()
				default:
				}
				select {
				case kept <- ctx:
				default:
				}
				return nil
			}))
		}
		settle()
		stopped := inBackground(func() error { return ref.Stop(t.Context()) })
		time.Sleep(time.Hour)
		close(open)
		require.NoError(t, await(t, stopped))
		ctx := await(t, kept)
		await(t, ctx.Done())
		after = ctx.Err()
		assert.NoError(t, during)
		assert.Equal(t, context.Canceled, after, "the process has ended")
	})
}

func TestStopEndsWithItsContextAndTheProcessAnyway(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		ref, release := fill(t, sys, 2)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, ref.Stop(ctx), context.DeadlineExceeded)
		release()
		await(t, ref.Done())
		assert.EqualValues(t, 3, sys.Stats().Handled)
	})
}

func TestStopFromTheOwnHandlerReturnsAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		ref := spawn(t, sys, "worker", do)
		open := make(chan struct{})
		var err, ctxErr, sendErr error
		require.NoError(t, ref.Send(t.Context(), func(ctx context.Context) error {
			<-open
			err = ref.Stop(ctx)
			ctxErr = ctx.Err()
			sendErr = ref.Send(ctx, nothing)
			return nil
		}))
		require.NoError(t, ref.Send(t.Context(), nothing))
		close(open)
		await(t, ref.Done())
		require.NoError(t, err)
		require.NoError(t, ctxErr)
		require.ErrorIs(t, sendErr, mailbox.ErrStopped)
		assert.EqualValues(t, 2, sys.Stats().Handled)
	})
}

func TestKillLeavesTheRest(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		ref := spawn(t, sys, "worker", do)
		entered := make(chan struct{})
		var err, cause error
		require.NoError(t, ref.Send(t.Context(), func(ctx context.Context) error {
			close(entered)
			<-ctx.Done()
			err, cause = ctx.Err(), context.Cause(ctx)
			time.Sleep(time.Second)
			return nil
		}))
		await(t, entered)
		for range 3 {
			require.NoError(t, ref.Send(t.Context(), func(context.Context) error {
				assert.Fail(t, "handled after the kill")
				return nil
			}))
		}
		elapsed := stopwatch()
		ref.Kill()
		assert.Zero(t, elapsed(), "Kill does not block")
		require.ErrorIs(t, ref.Send(t.Context(), nothing), mailbox.ErrStopped)
		select {
		case <-ref.Done():
			assert.Fail(t, "the handler has not returned")
		default:
		}
		await(t, ref.Done())
		assert.Equal(t, time.Second, elapsed())
		assert.Equal(t, context.Canceled, err)
		assert.Equal(t, context.Canceled, cause)
		require.ErrorIs(t, ref.Err(), mailbox.ErrKilled)
		s := sys.Stats()
		assert.EqualValues(t, 1, s.Handled)
		assert.Equal(t, mailbox.DeadLetters{Killed: 3}, s.DeadLetters)
		requireAtRest(t, s)
	})
}

func TestKillAfterStop(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		ref, release := fill(t, sys, 4)
		stopped := inBackground(func() error { return ref.Stop(t.Context()) })
		settle()
		ref.Kill()
		release()
		require.NoError(t, await(t, stopped))
		s := sys.Stats()
		assert.EqualValues(t, 1, s.Handled)
		assert.Equal(t, mailbox.DeadLetters{Killed: 4}, s.DeadLetters)
	})
}

func TestKillFromTheOwnHandler(t *testing.T) {
	sys := newSystem(t)
	ref := spawn(t, sys, "worker", do)
	var err error
	open := make(chan struct{})
	require.NoError(t, ref.Send(t.Context(), func(ctx context.Context) error {
		<-open
		ref.Kill()
		err = ctx.Err()
		return nil
	}))
	require.NoError(t, ref.Send(t.Context(), nothing))
	close(open)
	await(t, ref.Done())
	require.ErrorIs(t, err, context.Canceled)
	s := sys.Stats()
	assert.EqualValues(t, 1, s.Handled)
	assert.Equal(t, mailbox.DeadLetters{Killed: 1}, s.DeadLetters)
}

func TestIdleProcessEndsAtOnce(t *testing.T) {
	for _, used := range []bool{false, true} {
		sys := newSystem(t)
		ref := spawn(t, sys, "worker", do)
		killed := spawn(t, sys, "worker", do)
		if used {
			for _, r := range []mailbox.Ref[job]{ref, killed} {
				_, err := mailbox.Call(t.Context(), r, func(reply mailbox.Reply[int]) job {
					return func(context.Context) error {
						reply.Answer(1)
						return nil
					}
				})
				require.NoError(t, err)
			}
		}
		require.NoError(t, ref.Stop(t.Context()))
		killed.Kill()
		await(t, killed.Done())
		assert.Zero(t, sys.Stats().Processes)
	}
}

func TestEndsMayComeTogether(t *testing.T) {
	for range 300 {
		sys := newSystem(t)
		ref := spawn(t, sys, "worker", do)
		sent := 0
		for range 3 {
			if ref.Send(t.Context(), nothing) == nil {
				sent++
			}
		}
		var wg sync.WaitGroup
		wg.Go(func() { assert.NoError(t, ref.Stop(context.Background())) })
		wg.Go(ref.Kill)
		wg.Go(func() { assert.NoError(t, sys.Shutdown(context.Background())) })
		wg.Wait()
		await(t, ref.Done())
		s := sys.Stats()
		require.EqualValues(t, sent, s.Accepted)
		require.Zero(t, s.Processes)
		requireAtRest(t, s)
	}
}

func TestRefAfterTheEnd(t *testing.T) {
	sys := newSystem(t)
	kind, err := mailbox.NewKind[job](sys, "worker")
	require.NoError(t, err)
	ref, err := kind.Spawn("w-1", do)
	require.NoError(t, err)
	ref.Kill()
	await(t, ref.Done())
	for _, r := range []mailbox.Ref[job]{ref, {}} {
		require.ErrorIs(t, r.Send(t.Context(), nothing), mailbox.ErrStopped)
		require.ErrorIs(t, r.TrySend(t.Context(), nothing), mailbox.ErrStopped)
		require.NoError(t, r.Stop(t.Context()))
		r.Kill()
		await(t, r.Done())
		if r == ref {
			require.ErrorIs(t, r.Err(), mailbox.ErrKilled)
		} else {
			require.NoError(t, r.Err())
		}
		group := newGroup[job](t, sys, "workers")
		require.ErrorIs(t, group.Join(r), mailbox.ErrStopped)
		assert.False(t, group.Leave(r))
		assert.Zero(t, group.Len())
	}
	assert.Equal(t, "w-1", ref.ID())
	assert.Empty(t, mailbox.Ref[job]{}.ID())
	assert.Equal(t, mailbox.Refused{Stopped: 2}, sys.Stats().Refused)
}

func TestRefIsAKey(t *testing.T) {
	sys := newSystem(t)
	a, b := spawn(t, sys, "worker", do), spawn(t, sys, "worker", do)
	same := a
	names := map[mailbox.Ref[job]]string{a: "a", b: "b"}
	assert.Equal(t, "a", names[same])
	assert.NotEqual(t, a, b)
	drain(t, sys)
}
