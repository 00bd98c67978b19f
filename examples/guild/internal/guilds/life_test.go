// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package guilds_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waybill-go/waybill/examples/guild/guildpb"
	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/examples/guild/internal/guilds"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/propagate"
	"github.com/waybill-go/waybill/sampling"
)

// idle is after what time the guilds of these tests go to sleep.
const idle = time.Minute

// town is a guild service, in a bubble of its own time, and those who use it.
type town struct {
	*guilds.Service

	t        *testing.T
	states   *states
	log      bytes.Buffer // read it when nothing runs
	sys      *mailbox.System
	sessions *mailbox.Kind[chat.Event]
}

// inTown runs a test with two guilds whose state is in the given store.
func inTown(t *testing.T, in *states, test func(s *town)) {
	t.Helper()
	control, err := sampling.NewControl(sampling.Config{})
	require.NoError(t, err)
	s := &town{t: t, states: in, sys: mailbox.NewSystem(mailbox.WithLogger(nil))}
	s.Service, err = guilds.New(guilds.Config{
		Guilds: 2, Store: in, Provider: noop.NewTracerProvider(), Propagator: propagate.SampledFirst{},
		Control: control, Token: token, Idle: idle, Faults: true, Logger: slog.New(slog.NewTextHandler(&s.log, nil)),
	})
	require.NoError(t, err)
	s.sessions, err = mailbox.NewKind[chat.Event](s.sys, "session", mailbox.WithErrorPolicy(mailbox.Terminate))
	require.NoError(t, err)
	test(s)
	require.NoError(t, s.Shutdown(t.Context()))
	require.NoError(t, s.sys.Shutdown(t.Context()))
}

// member is a session and what it got. Read it when nothing runs.
type member struct {
	process chat.Session
	joined  int64
	got     []int64 // numbers of the messages
	heads   []int64
}

// leave is what has a session end as it does when its client is too slow.
var leave = &chat.Ready{}

// join adds a session to a guild, and returns when all has come to rest.
func (s *town) join(guild int64) *member {
	s.t.Helper()
	m := new(member)
	var err error
	m.process, err = s.sessions.Spawn("", func(_ context.Context, e chat.Event) error {
		switch e := e.(type) {
		case *chat.Joined:
			m.joined = e.Last
		case *chat.MessageCreate:
			m.got = append(m.got, e.Seq)
		case *chat.Head:
			m.heads = append(m.heads, e.Seq)
		case *chat.Ready:
			return chat.ErrBehind
		}
		return nil
	})
	require.NoError(s.t, err)
	require.NoError(s.t, s.Subscribe(s.t.Context(), guild, m.process))
	synctest.Wait()
	return m
}

func (s *town) post(guild, seq int64, content string) error {
	_, err := s.Publish(s.t.Context(), &guildpb.PublishRequest{GuildId: guild, Seq: seq, Author: "ann", Content: content})
	return err
}

func (s *town) view(guild int64) guilds.View {
	s.t.Helper()
	v, err := s.View(s.t.Context(), guild)
	require.NoError(s.t, err)
	return v
}

func view(here, seq, joins, peak, lost int64) guilds.View {
	return guilds.View{Here: here, GuildState: chat.GuildState{Seq: seq, Joins: joins, Peak: peak, Lost: lost}}
}

// A guild that nobody has asked for does not run, nor one that does not exist.
func TestGuildsBeginWhenTheyAreNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inTown(t, newStates(), func(s *town) {
			for _, id := range []int64{-1, 0, 3} {
				require.Equal(t, codes.NotFound, status.Code(s.post(id, 1, "x")))
				require.ErrorIs(t, s.Subscribe(t.Context(), id, chat.Session{}), chat.ErrUnknownGuild)
				_, err := s.View(t.Context(), id)
				require.ErrorIs(t, err, chat.ErrUnknownGuild)
			}
			assert.Zero(t, s.Stats().Processes)
			require.NoError(t, s.post(2, 1, "x"))
			require.NoError(t, s.post(2, 2, "x"))
			assert.Equal(t, 1, s.Stats().Processes)
			loads, _ := s.states.counts()
			assert.Equal(t, 1, loads)
		})
	})
}

// A guild that nothing happens in goes to sleep, its sessions stay, and the next post
// reaches them, with the number after the last one.
func TestAGuildSleepsWithItsSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inTown(t, newStates(), func(s *town) {
			one, two := s.join(1), s.join(1)
			require.NoError(t, s.post(1, 1, "x"))
			time.Sleep(2 * idle)
			synctest.Wait()
			require.EqualValues(t, 1, s.Stats().Passivated)
			assert.Equal(t, chat.GuildState{Seq: 1, Joins: 2, Peak: 2}, s.states.of(1))
			s.states.lose() // It has the number from its own state.
			require.NoError(t, s.post(1, 2, "x"))
			synctest.Wait()
			assert.Equal(t, []int64{1, 2}, one.got)
			assert.Equal(t, []int64{1, 2}, two.got)
			assert.Equal(t, view(2, 2, 2, 2, 0), s.view(1))
			assert.EqualValues(t, 2, s.join(1).joined)
			require.ErrorContains(t, s.post(1, 4, "x"), "4 of guild 1 after 2")
			loads, _ := s.states.counts()
			assert.Equal(t, 2, loads)
		})
	})
}

// A guild hears of the ends of its sessions, also of those that joined before it slept,
// and sleeps when the last has left.
func TestAGuildWatchesItsSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inTown(t, newStates(), func(s *town) {
			early, slow, last := s.join(1), s.join(1), s.join(1)
			time.Sleep(2 * idle)
			synctest.Wait()
			require.EqualValues(t, 1, s.Stats().Passivated)
			early.process.Kill()
			require.NoError(t, slow.process.Send(t.Context(), leave))
			synctest.Wait()
			assert.Equal(t, view(1, 0, 3, 3, 1), s.view(1))
			require.NoError(t, last.process.Stop(t.Context()))
			synctest.Wait()
			assert.EqualValues(t, 2, s.Stats().Passivated, "at once")
			assert.Equal(t, chat.GuildState{Joins: 3, Peak: 3, Lost: 1}, s.states.of(1))
			s.join(1)
			assert.Equal(t, view(1, 0, 4, 3, 1), s.view(1))
		})
	})
}

// What changes is saved together, after some seconds, and nothing where nothing
// changes.
func TestStateIsSavedBeforeItGetsOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inTown(t, newStates(), func(s *town) {
			for range 10 {
				s.join(1)
			}
			_, saves := s.states.counts()
			assert.Zero(t, saves)
			time.Sleep(6 * time.Second)
			synctest.Wait()
			assert.EqualValues(t, 10, s.states.of(1).Joins)
			_, saves = s.states.counts()
			assert.Equal(t, 1, saves)
			assert.Zero(t, s.Stats().Passivated)
			time.Sleep(10 * idle)
			synctest.Wait()
			_, saves = s.states.counts()
			assert.Equal(t, 1, saves, "it has slept since, and had nothing to save")
			assert.EqualValues(t, 1, s.Stats().Passivated)
		})
	})
}

// A guild that panics has its sessions and the state that was saved last, and the post
// that it failed on reaches everybody at the next try.
func TestAGuildGoesOnAfterAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inTown(t, newStates(), func(s *town) {
			one := s.join(1)
			one.process.Kill()
			synctest.Wait() // It sleeps, and is saved.
			two, three, four := s.join(1), s.join(1), s.join(1)
			four.process.Kill()
			require.NoError(t, s.post(1, 1, "x"))
			begun := time.Now()
			err := s.post(1, 2, guilds.Fault)
			assert.Equal(t, codes.Internal, status.Code(err), "%v", err)
			require.NoError(t, s.post(1, 2, guilds.Fault))
			waited := time.Since(begun)
			assert.Greater(t, waited, 20*time.Millisecond, "it backs off")
			assert.Less(t, waited, time.Second)
			assert.EqualValues(t, 1, s.Stats().Restarts)
			assert.Equal(t, view(2, 2, 2, 2, 0), s.view(1), "of four joins it knows of the first, and sees two sessions")
			require.NoError(t, s.post(1, 3, "x"))
			time.Sleep(2 * time.Second)
			synctest.Wait()
			for _, m := range []*member{two, three} {
				assert.Equal(t, []int64{1, 2, 2, 3}, m.got, "sessions know by the number what comes again")
				assert.Equal(t, []int64{3}, m.heads, "whoever has missed something learns of it")
			}
			assert.Equal(t, 1, strings.Count(s.log.String(), "a post asked for it"), s.log.String())

			// It still watches the sessions that joined before.
			slept := s.Stats().Passivated
			require.NoError(t, two.process.Send(t.Context(), leave))
			synctest.Wait()
			assert.Equal(t, view(1, 3, 2, 2, 1), s.view(1))
			three.process.Kill()
			synctest.Wait()
			assert.Equal(t, slept+1, s.Stats().Passivated)
		})
	})
}

// However often a guild panics it is not given up: it backs off longer.
func TestAGuildIsNeverGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inTown(t, newStates(), func(s *town) {
			m := s.join(1)
			const panics = 30
			begun := time.Now()
			for seq := range int64(panics) {
				require.Error(t, s.post(1, seq+1, guilds.Fault))
				require.NoError(t, s.post(1, seq+1, guilds.Fault))
			}
			assert.Greater(t, time.Since(begun), panics*time.Second)
			assert.EqualValues(t, panics, s.Stats().Restarts)
			synctest.Wait()
			assert.Len(t, m.got, 2*panics)
			assert.EqualValues(t, panics, s.view(1).Seq)
		})
	})
}

// A guild whose state can be neither loaded nor saved takes no post and loses no
// state, and goes on when that works again.
func TestAGuildWaitsForItsStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inTown(t, newStates(), func(s *town) {
			s.states.breakDown(true)
			require.Error(t, s.post(1, 1, "x"))
			s.states.breakDown(false)
			require.NoError(t, s.post(1, 1, "x"))
			m := s.join(1)
			s.states.breakDown(true)
			time.Sleep(2 * idle)
			synctest.Wait()
			assert.Zero(t, s.Stats().Passivated)
			m.process.Kill()
			synctest.Wait()
			assert.Zero(t, s.Stats().Passivated)
			assert.Positive(t, s.Stats().SaveFailures)
			require.NoError(t, s.post(1, 2, "x"), "it is awake")
			s.states.breakDown(false)
			time.Sleep(2 * idle)
			synctest.Wait()
			assert.EqualValues(t, 1, s.Stats().Passivated)
			assert.Equal(t, chat.GuildState{Seq: 2, Joins: 1, Peak: 1}, s.states.of(1))
			assert.Contains(t, s.log.String(), errNoStore.Error())
		})
	})
}

// A guild is saved when the service ends, and is the same when it begins again.
func TestStateOutlivesTheService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := newStates()
		inTown(t, kept, func(s *town) {
			slow := s.join(1)
			s.join(1)
			require.NoError(t, slow.process.Send(t.Context(), leave))
			synctest.Wait()
			require.NoError(t, s.post(1, 1, "x"))
		})
		kept.lose()
		inTown(t, kept, func(s *town) {
			assert.Equal(t, view(0, 1, 2, 2, 1), s.view(1))
			err := s.post(1, 3, "x")
			assert.Equal(t, codes.FailedPrecondition, status.Code(err))
			require.NoError(t, s.post(1, 2, "x"))
		})
	})
}

// A session that has ended before it joins is no member.
func TestWhoHasEndedDoesNotJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inTown(t, newStates(), func(s *town) {
			m := s.join(1)
			m.process.Kill()
			<-m.process.Done()
			err := s.Subscribe(t.Context(), 1, m.process)
			require.ErrorIs(t, err, mailbox.ErrStopped)
			assert.Equal(t, view(0, 0, 1, 1, 0), s.view(1))
		})
	})
}

// Another node's session is counted, and told what it will get by itself.
func TestAdmit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inTown(t, newStates(), func(s *town) {
			require.NoError(t, s.post(1, 1, "x"))
			last, err := s.Admit(t.Context(), 1)
			require.NoError(t, err)
			assert.EqualValues(t, 1, last)
			assert.Equal(t, view(0, 1, 1, 0, 0), s.view(1))
			_, err = s.Admit(t.Context(), 3)
			require.ErrorIs(t, err, chat.ErrUnknownGuild)
		})
	})
}
