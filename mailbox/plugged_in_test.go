// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"slices"
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
			require.NoError(t, worker.Send(sampledRemotely(), fails))
		}
		drain(t, sys)
		assert.EqualValues(t, 10, sys.Stats().Handled)
		assert.EqualValues(t, 10, sys.Stats().Failed)
	})
}

func TestDeadLettersSurviveWhatIsPluggedIn(t *testing.T) {
	withEachPlugged(t, func(t *testing.T, sys *mailbox.System) {
		worker := spawn(t, sys, "worker", do, mailbox.WithCapacity(4), mailbox.WithOverflow(mailbox.Refuse))
		release := keepBusy(t, worker)
		for range 4 {
			require.NoError(t, worker.Send(sampledRemotely(), nothing))
		}
		require.ErrorIs(t, worker.Send(sampledRemotely(), nothing), mailbox.ErrFull)
		worker.Kill()
		release()
		await(t, worker.Done())
		assert.EqualValues(t, 4, sys.Stats().DeadLetters.Total())
	})
}

func TestLateSpansSurviveWhatIsPluggedIn(t *testing.T) {
	late := sampling.Late{Failures: true, Roots: true, PerSecond: sampling.Unlimited}
	control := controlOf(t, sampling.KindConfig{Late: late})
	withEachPlugged(t, func(t *testing.T, sys *mailbox.System) {
		worker := spawn(t, sys, "worker", do, mailbox.WithPanicPolicy(mailbox.Continue))
		sendAll(t, worker, slices.Repeat([]job{panics}, 10)...)
		drain(t, sys)
		assert.EqualValues(t, 10, sys.Stats().Failed)
	}, mailbox.WithControl(control))
}

// A fan-out reaches everybody, and without a span of its own it gives none of
// them the trace.
func TestBroadcastsSurviveWhatIsPluggedIn(t *testing.T) {
	const members = 5
	withEachPlugged(t, func(t *testing.T, sys *mailbox.System) {
		group := groupOf(t, sys, "member", members, sampling.GroupConfig{})
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
		got, err := call(sampledRemotely(), worker, answer)
		require.NoError(t, err)
		assert.Equal(t, 1, got)
		_, err = call(sampledRemotely(), worker, unanswered(fails))
		require.ErrorIs(t, err, errSpilt)

		ctx, cancel := context.WithCancel(sampledRemotely())
		gone := make(chan struct{})
		_, err = call(ctx, worker, func(_ context.Context, r mailbox.Reply[int]) error {
			cancel()
			<-gone
			assert.False(t, r.Answer(1), "it is late")
			return nil
		})
		close(gone)
		require.ErrorIs(t, err, context.Canceled)
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
