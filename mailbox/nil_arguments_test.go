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

// A nil context is a mistake, and no reason to panic: it stands for context.Background()
// wherever the package takes a context.
func TestNilContext(t *testing.T) {
	var none context.Context
	for name, opts := range map[string][]mailbox.KindOption{"plain": nil, "entry point": {mailbox.WithRootSpans()}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				sys := newSystem(t)
				ref, group := spawn(t, sys, "worker", do, opts...), newGroup[job](t, sys, "group")
				require.NoError(t, group.Join(ref))
				require.NoError(t, ref.Send(none, nothing))
				require.NoError(t, ref.TrySend(none, nothing))
				_, err := call(none, ref, answer)
				require.NoError(t, err)
				ref.SendAfter(none, 0, nothing)
				assert.True(t, ref.SendEvery(none, time.Hour, nothing).Stop())
				assert.Equal(t, 1, group.Broadcast(none, nothing).Delivered)
				refused := func(_ mailbox.Ref[job], err error) { t.Error(err) }
				assert.Equal(t, 1, group.BroadcastFunc(none, nothing, refused).Delivered)
				assert.Equal(t, 1, group.BroadcastRelays(none, nothing, func(mailbox.Ref[job]) int { return 1 }).Delivered)
				settle()
				assert.EqualValues(t, 7, sys.Stats().Handled)

				full, release := fill(t, sys, 1, opts...)
				sent := inBackground(func() error { return full.Send(none, nothing) })
				settle()
				assert.EqualValues(t, 1, sys.Stats().Waiting)
				release()
				require.NoError(t, await(t, sent))

				_, ok := mailbox.Self[job](none)
				assert.False(t, ok)
				_, ok = mailbox.SystemOf(none)
				assert.False(t, ok)
				_, ok = mailbox.SentAt(none)
				assert.False(t, ok)
				require.NoError(t, ref.Stop(none))
				await(t, ref.Done())
				require.NoError(t, sys.Shutdown(none))
			})
		})
	}
}

func TestNoTimer(t *testing.T) {
	var none *mailbox.Timer
	assert.False(t, none.Stop())
	assert.False(t, new(mailbox.Timer).Stop())
	assert.False(t, mailbox.Ref[job]{}.SendAfter(context.Background(), time.Hour, nothing).Stop())
	assert.False(t, mailbox.Ref[job]{}.SendEvery(context.Background(), time.Hour, nothing).Stop())
}

func TestNoOption(t *testing.T) {
	sys := mailbox.NewSystem(nil)
	_, err := mailbox.NewKind[job](sys, "worker", nil)
	require.NoError(t, err)
	_, err = mailbox.NewGroup[job](sys, "workers", nil)
	require.NoError(t, err)
	require.NoError(t, sys.Shutdown(t.Context()))
}
