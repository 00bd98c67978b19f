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

// Nobody learns with the first message that something was never there.
func TestNothingGivenIsRefusedWhenGiven(t *testing.T) {
	_, err := mailbox.NewKind[job](nil, "kind")
	require.ErrorIs(t, err, mailbox.ErrConfig)
	_, err = mailbox.Spawn[job](nil, "kind", do)
	require.ErrorIs(t, err, mailbox.ErrConfig)
	_, err = mailbox.NewGroup[job](nil, "group")
	require.ErrorIs(t, err, mailbox.ErrConfig)
	_, err = mailbox.NewGroup[job](newSystem(t), "")
	require.ErrorIs(t, err, mailbox.ErrConfig)

	sys := newSystem(t, mailbox.WithTracerProvider(nil), mailbox.WithControl(nil))
	_, err = mailbox.Spawn[job](sys, "kind", nil)
	require.ErrorIs(t, err, mailbox.ErrConfig)
	kind, err := mailbox.NewKind[job](sys, "kind")
	require.NoError(t, err)
	_, err = kind.SpawnInstance("", nil)
	require.ErrorIs(t, err, mailbox.ErrConfig)
	_, err = kind.GetOrSpawn("id", nil)
	require.ErrorIs(t, err, mailbox.ErrConfig)

	worker := spawn(t, sys, "worker", do)
	assert.PanicsWithValue(t, "mailbox: Watch without a build", func() { mailbox.Watch(worker, worker, nil) })
	assert.PanicsWithValue(t, "mailbox: Call without a build", func() {
		_, _ = mailbox.Call[job, int](context.Background(), worker, nil)
	})
	assert.Zero(t, sys.Stats().Accepted)
	drain(t, sys)
}

// A nil context is a mistake, and no reason to panic: it stands for context.Background()
// wherever the package takes a context.
func TestNilContext(t *testing.T) {
	var none context.Context
	build := func(r mailbox.Reply[int]) job {
		return func(context.Context) error { r.Answer(7); return nil }
	}
	for name, use := range map[string]func(t *testing.T, sys *mailbox.System, ref mailbox.Ref[job]){
		"Send": func(t *testing.T, _ *mailbox.System, ref mailbox.Ref[job]) {
			require.NoError(t, ref.Send(none, nothing))
		},
		"Send that waits": func(t *testing.T, sys *mailbox.System, _ mailbox.Ref[job]) {
			full := spawn(t, sys, "full", do, mailbox.WithCapacity(1))
			held, entered, release := hold()
			require.NoError(t, full.Send(none, held))
			await(t, entered)
			require.NoError(t, full.Send(none, nothing))
			sent := make(chan error, 1)
			go func() { sent <- full.Send(none, nothing) }()
			require.Eventually(t, func() bool { return sys.Stats().Waiting == 1 }, patience, time.Millisecond)
			release()
			require.NoError(t, await(t, sent))
		},
		"TrySend": func(t *testing.T, _ *mailbox.System, ref mailbox.Ref[job]) {
			require.NoError(t, ref.TrySend(none, nothing))
		},
		"Call": func(t *testing.T, _ *mailbox.System, ref mailbox.Ref[job]) {
			answer, err := mailbox.Call(none, ref, build)
			require.NoError(t, err)
			assert.Equal(t, 7, answer)
		},
		"SendAfter": func(t *testing.T, sys *mailbox.System, ref mailbox.Ref[job]) {
			ref.SendAfter(none, 0, nothing)
			require.Eventually(t, func() bool { return sys.Stats().Handled > 0 }, patience, time.Millisecond)
		},
		"SendEvery": func(t *testing.T, _ *mailbox.System, ref mailbox.Ref[job]) {
			assert.True(t, ref.SendEvery(none, time.Hour, nothing).Stop())
		},
		"Broadcast": func(t *testing.T, sys *mailbox.System, ref mailbox.Ref[job]) {
			group := newGroup[job](t, sys, "group")
			require.NoError(t, group.Join(ref))
			refused := func(_ mailbox.Ref[job], err error) { t.Error(err) }
			assert.Equal(t, 1, group.Broadcast(none, nothing).Delivered)
			assert.Equal(t, 1, group.BroadcastFunc(none, nothing, refused).Delivered)
			assert.Equal(t, 1, group.BroadcastRelays(none, nothing, func(mailbox.Ref[job]) int { return 1 }).Delivered)
		},
		"Stop": func(t *testing.T, _ *mailbox.System, ref mailbox.Ref[job]) {
			require.NoError(t, ref.Stop(none))
			await(t, ref.Done())
		},
		"Shutdown": func(t *testing.T, sys *mailbox.System, ref mailbox.Ref[job]) {
			require.NoError(t, sys.Shutdown(none))
			await(t, ref.Done())
		},
		"what a handler asks": func(t *testing.T, _ *mailbox.System, _ mailbox.Ref[job]) {
			_, ok := mailbox.Self[job](none)
			assert.False(t, ok)
			_, ok = mailbox.SystemOf(none)
			assert.False(t, ok)
			_, ok = mailbox.SentAt(none)
			assert.False(t, ok)
		},
	} {
		for kind, opts := range map[string][]mailbox.KindOption{"plain": nil, "entry point": {mailbox.WithRootSpans()}} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				sys := newSystem(t)
				ref := spawn(t, sys, "worker", do, opts...)
				assert.NotPanics(t, func() { use(t, sys, ref) })
				drain(t, sys)
			})
		}
	}
}

func TestNoTimer(t *testing.T) {
	var none *mailbox.Timer
	assert.False(t, none.Stop())
	assert.False(t, new(mailbox.Timer).Stop())
	assert.False(t, mailbox.Ref[job]{}.SendAfter(context.Background(), time.Hour, nothing).Stop())
	assert.False(t, mailbox.Ref[job]{}.SendEvery(context.Background(), time.Hour, nothing).Stop())
}
