// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package trouble_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/examples/guild/internal/trouble"
	"github.com/waybill-go/waybill/mailbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// quiet is a board of so many guilds, where nobody posts.
func quiet(guilds int) *trouble.Board {
	return trouble.NewBoard(trouble.Config{
		Guilds: guilds, Logger: slog.New(slog.DiscardHandler),
		Post: func(context.Context, int64, string) error { return nil },
	})
}

// state returns what there is to see of one sort.
func state(t *testing.T, b *trouble.Board, name trouble.Name) trouble.State {
	t.Helper()
	for _, s := range b.States() {
		if s.Name == name {
			return s
		}
	}
	require.Fail(t, "no such trouble", name)
	return trouble.State{}
}

// inBubble runs a test with a board of two guilds, at a time of its own.
func inBubble(t *testing.T, test func(t *testing.T, b *trouble.Board)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := quiet(2)
		test(t, b)
		b.Close()
	})
}

// took returns how long what takes.
func took(what func()) time.Duration {
	begun := time.Now()
	what()
	return time.Since(begun)
}

// Whatever was switched on is off again after its time, with nobody's help.
func TestAllTroubleEndsByItself(t *testing.T) {
	inBubble(t, func(t *testing.T, b *trouble.Board) {
		names := []trouble.Name{}
		for _, s := range b.States() {
			names = append(names, s.Name)
			require.False(t, s.On, s.Name)
			require.NoError(t, b.Begin(s.Name, trouble.Order{trouble.Seconds: 30}))
		}
		assert.Len(t, names, 6)
		time.Sleep(10*time.Second + time.Millisecond)
		for _, s := range b.States() {
			assert.True(t, s.On, s.Name)
			assert.EqualValues(t, 20, s.SecondsLeft, s.Name)
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		for _, s := range b.States() {
			assert.False(t, s.On, s.Name)
			assert.Zero(t, s.SecondsLeft, s.Name)
		}
		assert.Zero(t, took(func() {
			b.AtGuild(t.Context(), 1)
			b.AtSession(t.Context(), 1, 50)
			b.AfterGuild(1)
		}))
	})
}

func TestASlowGuildTakesLonger(t *testing.T) {
	inBubble(t, func(t *testing.T, b *trouble.Board) {
		assert.Zero(t, took(func() { b.AtGuild(t.Context(), 2) }))
		require.NoError(t, b.Begin(trouble.SlowGuild, trouble.Order{trouble.Guild: 2, trouble.DelayMS: 300}))
		assert.Equal(t, 300*time.Millisecond, took(func() { b.AtGuild(t.Context(), 2) }))
		assert.Zero(t, took(func() { b.AtGuild(t.Context(), 1) }), "another guild")
		assert.Zero(t, took(func() { b.AtSession(t.Context(), 2, 50) }), "its sessions")
		assert.Equal(t, "1 post took longer", state(t, b, trouble.SlowGuild).Happened)

		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		assert.Equal(t, 100*time.Millisecond, took(func() { b.AtGuild(ctx, 2) }), "who calls no longer waits")
		time.AfterFunc(50*time.Millisecond, func() { _ = b.End(trouble.SlowGuild) })
		assert.Equal(t, 50*time.Millisecond, took(func() { b.AtGuild(t.Context(), 2) }), "it is switched off")
		assert.Zero(t, took(func() { b.AtGuild(t.Context(), 2) }))
		assert.Equal(t, "3 posts took longer", state(t, b, trouble.SlowGuild).Happened, "what has ended can still be seen")
	})
}

func TestSomeSessionsAreSlow(t *testing.T) {
	inBubble(t, func(t *testing.T, b *trouble.Board) {
		order := trouble.Order{trouble.OneIn: 10, trouble.DelayMS: 1000}
		require.NoError(t, b.Begin(trouble.SlowSessions, order))
		all := took(func() {
			for session := int64(1); session <= 40; session++ {
				b.AtSession(t.Context(), 1, session)
			}
		})
		assert.Equal(t, 4*time.Second, all)
		assert.Equal(t, "4 messages took longer", state(t, b, trouble.SlowSessions).Happened)
		assert.Zero(t, took(func() { b.AtSession(t.Context(), 2, 10) }))
		order[trouble.DelayMS] = 2000
		require.NoError(t, b.Begin(trouble.SlowSessions, order), "in the place of the other")
		assert.Equal(t, 2*time.Second, took(func() { b.AtSession(t.Context(), 1, 10) }))
	})
}

// One in so many is slow, whatever the numbers of the sessions are.
func TestAFewSessionsHaveASlowOne(t *testing.T) {
	inBubble(t, func(t *testing.T, b *trouble.Board) {
		require.NoError(t, b.Begin(trouble.SlowSessions, trouble.Order{trouble.OneIn: 50, trouble.DelayMS: 1000}))
		for range 2 {
			assert.Equal(t, time.Second, took(func() { b.AtSession(t.Context(), 1, 7) }))
			assert.Zero(t, took(func() { b.AtSession(t.Context(), 1, 19) }))
		}
	})
}

// However many handle messages at a time, it is one that panics, once.
func TestOneProcessPanicsOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, b *trouble.Board) {
		panics := func(what func(session int64)) (n int64) {
			var all sync.WaitGroup
			var count atomic.Int64
			for i := range int64(100) {
				all.Go(func() {
					defer func() {
						if err, _ := recover().(error); errors.Is(err, trouble.ErrOnPurpose) {
							count.Add(1)
						}
					}()
					what(i)
				})
			}
			all.Wait()
			return count.Load()
		}
		guild := func(int64) { b.AfterGuild(1) }
		session := func(i int64) { b.AtSession(t.Context(), 1, i) }
		for name, what := range map[trouble.Name]func(int64){trouble.PanicGuild: guild, trouble.PanicSession: session} {
			assert.Zero(t, panics(what))
			require.NoError(t, b.Begin(name, trouble.Order{trouble.Guild: 2}))
			assert.Zero(t, panics(what), "that is for another guild")
			require.NoError(t, b.Begin(name, nil))
			assert.Equal(t, "it waits for the next post", state(t, b, name).Happened)
			assert.EqualValues(t, 1, panics(what))
			synctest.Wait()
			assert.False(t, state(t, b, name).On, "it has happened")
			assert.Contains(t, state(t, b, name).Happened, "panicked")
			assert.Zero(t, panics(what))
			require.NoError(t, b.Begin(name, nil))
			assert.EqualValues(t, 1, panics(what), "once for each order")
		}
	})
}

// One session hangs and refuses what its mailbox has no room for, the others do not.
// When the time is over, it goes on.
func TestAMailboxFillsUp(t *testing.T) {
	const capacity = 16
	inBubble(t, func(t *testing.T, b *trouble.Board) {
		sys := mailbox.NewSystem()
		kind, err := mailbox.NewKind[chat.Event](sys, "session", mailbox.WithCapacity(capacity))
		require.NoError(t, err)
		var got [2]atomic.Int64
		var refs [2]chat.Session
		for i := range refs {
			refs[i], err = kind.Spawn("", func(ctx context.Context, e chat.Event) error {
				if _, ok := e.(*chat.MessageCreate); ok {
					b.AtSession(ctx, 1, int64(i+1))
					got[i].Add(1)
				}
				return nil
			})
			require.NoError(t, err)
		}
		require.NoError(t, b.Begin(trouble.FullMailbox, trouble.Order{trouble.Seconds: 20}))
		require.NoError(t, refs[0].TrySend(t.Context(), new(chat.MessageCreate)))
		synctest.Wait()
		require.ErrorIs(t, refs[0].TrySend(t.Context(), new(chat.MessageCreate)), mailbox.ErrFull)
		require.NoError(t, refs[1].TrySend(t.Context(), new(chat.MessageCreate)))
		synctest.Wait()
		assert.Zero(t, got[0].Load())
		assert.EqualValues(t, 1, got[1].Load())
		assert.Equal(t, "session 1 hangs, with a full mailbox", state(t, b, trouble.FullMailbox).Happened)
		assert.True(t, state(t, b, trouble.FullMailbox).On)

		time.Sleep(20 * time.Second)
		synctest.Wait()
		assert.EqualValues(t, 1, got[0].Load())
		require.NoError(t, refs[0].TrySend(t.Context(), new(chat.MessageCreate)))
		synctest.Wait()
		assert.EqualValues(t, 2, got[0].Load())
		assert.Equal(t, "session 1 hung, with a full mailbox", state(t, b, trouble.FullMailbox).Happened)
		assert.Equal(t, "session/1", state(t, b, trouble.FullMailbox).Process)

		require.NoError(t, b.Begin(trouble.FullMailbox, nil))
		require.NoError(t, refs[0].TrySend(t.Context(), new(chat.MessageCreate)))
		synctest.Wait()
		refs[0].Kill()
		<-refs[0].Done()
		require.NoError(t, sys.Shutdown(t.Context()))
	})
}

// Posts come at an even pace; those that nobody answers are bounded, and end with the
// trouble.
func TestTrafficIsSteadyAndBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var posts, posting atomic.Int64
		var stuck atomic.Bool
		b := trouble.NewBoard(trouble.Config{
			Guilds: 1, Logger: slog.New(slog.DiscardHandler),
			Post: func(ctx context.Context, guild int64, content string) error {
				assert.EqualValues(t, 1, guild)
				assert.NotEmpty(t, content)
				posts.Add(1)
				posting.Add(1)
				defer posting.Add(-1)
				if stuck.Load() {
					<-ctx.Done()
				}
				return ctx.Err()
			},
		})
		order := trouble.Order{trouble.PerSecond: 5, trouble.Seconds: 10}
		require.NoError(t, b.Begin(trouble.Traffic, order))
		time.Sleep(time.Minute)
		assert.InDelta(t, 50, posts.Load(), 1)
		assert.Regexp(t, `^(49|50|51) posts were stored$`, state(t, b, trouble.Traffic).Happened)

		stuck.Store(true)
		require.NoError(t, b.Begin(trouble.Traffic, order))
		time.Sleep(9 * time.Second)
		assert.EqualValues(t, 16, posting.Load())
		b.Close()
		assert.Zero(t, posting.Load())
		assert.Equal(t, "0 posts were stored", state(t, b, trouble.Traffic).Happened)
	})
}

func TestAfterCloseThereIsNoTrouble(t *testing.T) {
	inBubble(t, func(t *testing.T, b *trouble.Board) {
		require.NoError(t, b.Begin(trouble.SlowGuild, nil))
		b.Close()
		require.ErrorIs(t, b.Begin(trouble.SlowGuild, nil), trouble.ErrClosed)
		assert.Zero(t, took(func() { b.AtGuild(t.Context(), 1) }))
	})
}

func TestWithoutABoardThereIsNoTrouble(t *testing.T) {
	var b *trouble.Board
	b.AtGuild(t.Context(), 1)
	b.AfterGuild(1)
	b.AtSession(t.Context(), 1, 1)
}
