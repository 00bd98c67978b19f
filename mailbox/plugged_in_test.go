// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/guard"
	"github.com/waybill-go/waybill/internal/plugged"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
)

// sampledRemotely is a context in a sampled trace that needed no provider.
func sampledRemotely() context.Context {
	return trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, Remote: true,
	}))
}

// withEachPlugged runs the test with each provider that panics somewhere. Whatever
// the test does, the panics of it end in the guard, and no message is lost.
func withEachPlugged(t *testing.T, test func(t *testing.T, sys *mailbox.System), opts ...mailbox.SystemOption) {
	for name, provider := range plugged.Providers() {
		t.Run(name, func(t *testing.T) {
			before := guard.Recovered()
			sys := newSystem(t, append(opts, mailbox.WithTracerProvider(provider))...)
			test(t, sys)
			drain(t, sys)
			requireAtRest(t, sys.Stats())
			assert.Greater(t, guard.Recovered(), before, "otherwise this shows nothing")
		})
	}
}

func TestHandlingsSurviveWhatIsPluggedIn(t *testing.T) {
	withEachPlugged(t, func(t *testing.T, sys *mailbox.System) {
		worker := spawn(t, sys, "worker", do)
		for range 10 {
			require.NoError(t, worker.Send(sampledRemotely(), nothing))
			require.NoError(t, worker.Send(sampledRemotely(), func(context.Context) error { return errors.New("wrong") }))
		}
		drain(t, sys)
		assert.EqualValues(t, 10, sys.Stats().Handled)
		assert.EqualValues(t, 10, sys.Stats().Failed)
	})
}

func TestDeadLettersSurviveWhatIsPluggedIn(t *testing.T) {
	withEachPlugged(t, func(t *testing.T, sys *mailbox.System) {
		worker := spawn(t, sys, "worker", do, mailbox.WithCapacity(4), mailbox.WithOverflow(mailbox.Refuse))
		job, entered, release := hold()
		require.NoError(t, worker.Send(sampledRemotely(), job))
		await(t, entered)
		refused := 0
		for range 10 {
			if err := worker.Send(sampledRemotely(), nothing); err != nil {
				require.ErrorIs(t, err, mailbox.ErrFull)
				refused++
			}
		}
		require.Positive(t, refused)
		worker.Kill()
		release()
		await(t, worker.Done())
		assert.EqualValues(t, 10-refused, sys.Stats().DeadLetters.Total())
	})
}

func TestLateSpansSurviveWhatIsPluggedIn(t *testing.T) {
	settings := sampling.Config{}
	settings.Default.Late = sampling.Late{Failures: true, Roots: true, PerSecond: sampling.Unlimited}
	control, err := sampling.NewControl(settings)
	require.NoError(t, err)
	withEachPlugged(t, func(t *testing.T, sys *mailbox.System) {
		worker := spawn(t, sys, "worker", do, mailbox.WithPanicPolicy(mailbox.Continue))
		for range 10 {
			require.NoError(t, worker.Send(context.Background(), func(context.Context) error { panic("a handler") }))
		}
		drain(t, sys)
		assert.NotZero(t, sys.Stats().Failed)
	}, mailbox.WithControl(control))
}

// A fan-out reaches everybody, and without a span of its own it gives none of
// them the trace.
func TestBroadcastsSurviveWhatIsPluggedIn(t *testing.T) {
	const members = 5
	withEachPlugged(t, func(t *testing.T, sys *mailbox.System) {
		group := newGroup[job](t, sys, "group")
		for range members {
			require.NoError(t, group.Join(spawn(t, sys, "member", do)))
		}
		assert.Equal(t, members, group.Broadcast(sampledRemotely(), nothing).Delivered)
		assert.Equal(t, members, group.BroadcastRelays(sampledRemotely(), nothing,
			func(mailbox.Ref[job]) int { return 3 }).Delivered)
		drain(t, sys)
		assert.EqualValues(t, 2*members, sys.Stats().Handled)
	})
}

func TestCallsSurviveWhatIsPluggedIn(t *testing.T) {
	withEachPlugged(t, func(t *testing.T, sys *mailbox.System) {
		worker := spawn(t, sys, "worker", do)
		answer, err := mailbox.Call(sampledRemotely(), worker, func(r mailbox.Reply[int]) job {
			return func(context.Context) error {
				r.Answer(42)
				return nil
			}
		})
		require.NoError(t, err)
		assert.Equal(t, 42, answer)

		wrong := errors.New("wrong")
		_, err = mailbox.Call(sampledRemotely(), worker, func(mailbox.Reply[int]) job {
			return func(context.Context) error { return wrong }
		})
		assert.ErrorIs(t, err, wrong)
	})
}

// The process that ends goes on ending, and others who watch it are told.
func TestWatchersThatPanicHarmNobody(t *testing.T) {
	sys := newSystem(t)
	told := make(chan mailbox.Termination, 2)
	watcher := spawn(t, sys, "watcher", func(_ context.Context, e mailbox.Termination) error {
		told <- e
		return nil
	})
	other := spawn(t, sys, "other", do)
	panics := func(mailbox.Termination) mailbox.Termination { panic("build") }
	before := guard.Recovered()
	for range 3 {
		mailbox.Watch(watcher, other, panics)
	}
	mailbox.Watch(watcher, other, func(e mailbox.Termination) mailbox.Termination { return e })
	require.NoError(t, other.Stop(context.Background()))
	await(t, other.Done())
	assert.Equal(t, "other", await(t, told).Kind)

	assert.NotPanics(t, func() { mailbox.Watch(watcher, other, panics) }, "it has ended already")
	assert.Equal(t, before+4, guard.Recovered())
	drain(t, sys)
}

func TestSaveThatFailsIsReported(t *testing.T) {
	for name, save := range map[string]job{
		"error": func(context.Context) error { return errBroken },
		"panic": func(context.Context) error { panic(errBroken) },
		"exit":  func(context.Context) error { runtime.Goexit(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				var heard ear
				sys := newSystem(t, mailbox.WithEventHook(heard.hook), mailbox.WithLogger(nil))
				l := &lives{save: save}
				ref := spawnFrom(t, sys, l.start)
				pass(t, ref)
				err := await(t, ref.Passivate())
				e := heard.one(t)
				assert.Equal(t, err, e.Err)
				assert.Equal(t, mailbox.SaveFailed, e.Type)
				assert.Equal(t, "seven", e.ID)
				assert.Equal(t, name == "panic", e.Panicked())
				if name == "exit" {
					require.ErrorIs(t, e.Err, mailbox.ErrGoexit)
				} else {
					require.ErrorIs(t, e.Err, errBroken)
				}
				assert.EqualValues(t, 1, sys.Stats().SaveFailures)
				pass(t, ref)
				assert.Equal(t, 1, l.starts, "it goes on with the state it has")
				drain(t, sys)
			})
		})
	}
}
