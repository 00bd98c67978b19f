// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package explain_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/internal/traces/explain"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/timings"
	"github.com/waybill-go/waybill/sampling"
)

// What processes here handle. The types say themselves how long it takes.
type (
	message interface {
		handle(ctx context.Context) error
	}
	MessageCreate struct{ takes time.Duration }
	PresenceSync  struct{ takes time.Duration }
	Publish       struct {
		to    *mailbox.Group[message]
		reply mailbox.Reply[int]
	}
)

func (m MessageCreate) handle(context.Context) error { time.Sleep(m.takes); return nil }
func (m PresenceSync) handle(context.Context) error  { time.Sleep(m.takes); return nil }

func (m Publish) handle(ctx context.Context) error {
	time.Sleep(100 * time.Millisecond)
	m.to.Broadcast(ctx, MessageCreate{400 * time.Millisecond})
	m.reply.Answer(1)
	return nil
}

func handle(ctx context.Context, m message) error { return m.handle(ctx) }

// world is a guild and three sessions, with their timings, and what was traced.
type world struct {
	guild    mailbox.Ref[message]
	sessions map[string]mailbox.Ref[message]
	members  *mailbox.Group[message]
	recorder *tracetest.SpanRecorder
	provider *sdktrace.TracerProvider
	store    *timings.Store
}

func newWorld(t *testing.T, curve sampling.Curve) *world {
	t.Helper()
	control, err := sampling.NewControl(sampling.Config{
		Default:      sampling.KindConfig{TimeOneIn: 1, Late: sampling.Late{QueuedLongerThan: time.Second}},
		DefaultGroup: sampling.GroupConfig{Curve: curve},
	})
	require.NoError(t, err)
	w := &world{recorder: tracetest.NewSpanRecorder(), store: timings.New(timings.Config{}), sessions: map[string]mailbox.Ref[message]{}}
	w.provider = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(w.recorder))
	sys := mailbox.NewSystem(mailbox.WithTracerProvider(w.provider), mailbox.WithControl(control), mailbox.WithTimings(w.store))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour) // Of simulated time.
		defer cancel()
		require.NoError(t, sys.Shutdown(ctx))
		require.NoError(t, w.provider.Shutdown(ctx))
	})
	guilds, err := mailbox.NewKind[message](sys, "guild")
	require.NoError(t, err)
	w.guild, err = guilds.Spawn("1", handle)
	require.NoError(t, err)
	sessions, err := mailbox.NewKind[message](sys, "session")
	require.NoError(t, err)
	w.members, err = mailbox.NewGroup[message](sys, "sessions")
	require.NoError(t, err)
	for _, id := range []string{"13", "14", "15"} {
		session, err := sessions.Spawn(id, handle)
		require.NoError(t, err)
		w.sessions[id] = session
		require.NoError(t, w.members.Join(session))
	}
	return w
}

// post sends a post to the guild, and returns what is said of its trace when the minute is over.
func (w *world) post(t *testing.T) explain.Explanation {
	t.Helper()
	ctx, span := w.provider.Tracer("test").Start(context.Background(), "POST /messages")
	_, err := mailbox.Call(ctx, w.guild, func(r mailbox.Reply[int]) message { return Publish{w.members, r} })
	require.NoError(t, err)
	span.End()
	time.Sleep(time.Minute)
	synctest.Wait()
	e := explain.Explain(w.recorder.Ended(), explain.FromTimings(w.store))
	requireCover(t, e)
	return e
}

// Real processes and timings, in simulated time, in which a minute has just begun. Whichever
// process is slow, it is the one that is named. Some milliseconds pass until the scheduler lets
// another worker in beside handlers that block.
func TestRealProcesses(t *testing.T) {
	for _, busy := range []string{"13", "14", "15"} {
		inBubble(t, "session "+busy+" is busy", func(t *testing.T) {
			w := newWorld(t, sampling.Always())
			for range 21 {
				require.NoError(t, w.sessions[busy].Send(context.Background(), PresenceSync{2 * time.Second}))
			}
			e := w.post(t)
			assert.Regexp(t, `^99 % of 42\.[45] s: the message waited for session `+busy+
				`, which spent 70 % of that minute in PresenceSync\.$`, e.Sentence)
		})
	}
	inBubble(t, "the guild is busy", func(t *testing.T) {
		w := newWorld(t, sampling.Always())
		require.NoError(t, w.sessions["14"].Send(context.Background(), PresenceSync{12 * time.Second}))
		require.NoError(t, w.guild.Send(context.Background(), PresenceSync{24 * time.Second}))
		assert.Regexp(t, `^98 % of 24\.[56] s: the message waited for guild 1, which spent 40 % of that minute in PresenceSync\.$`,
			w.post(t).Sentence, "session 14 is idle again when the message comes to it")
	})
	inBubble(t, "nobody is busy", func(t *testing.T) {
		assert.Regexp(t, `^[78]\d % of 5\d\d ms: session 1[345] handled MessageCreate\.$`,
			newWorld(t, sampling.Always()).post(t).Sentence)
	})
	inBubble(t, "the busy session is skipped or sampled", func(t *testing.T) {
		one, err := sampling.NewCurve(sampling.Point{Size: 1, Probability: 0.001})
		require.NoError(t, err)
		w := newWorld(t, one) // The sampling takes 0 or 1 of 3.
		require.NoError(t, w.sessions["14"].Send(context.Background(), PresenceSync{30 * time.Second}))
		assert.Regexp(t, `^98 % of 30\.[45] s: the message waited for session 14, which spent 50 % of that minute in PresenceSync `+
			`\((none|only 1) of 3 recipients of "broadcast sessions" were sampled, so a slower one may be missing`+
			`(; the span of session 14 is uncounted, so others may be like it)?\)\.$`, w.post(t).Sentence)
	})
}

func inBubble(t *testing.T, name string, test func(t *testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}
