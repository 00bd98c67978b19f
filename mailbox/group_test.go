// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

func TestJoinAndLeaveAreIdempotent(t *testing.T) {
	sys := newSystem(t)
	group := newGroup[job](t, sys, "workers")
	a, b := spawn(t, sys, "worker", do), spawn(t, sys, "worker", do)
	assert.False(t, group.Leave(a), "never joined")
	for range 3 {
		require.NoError(t, group.Join(a))
		assert.Equal(t, 1, group.Len())
	}
	require.NoError(t, group.Join(b))
	assert.Equal(t, 2, group.Len())

	assert.Equal(t, mailbox.Delivery{Size: 2, Delivered: 2}, group.Broadcast(t.Context(), nothing))
	assert.True(t, group.Leave(a))
	assert.False(t, group.Leave(a))
	assert.Equal(t, 1, group.Len())
	require.NoError(t, group.Join(a), "it may come again")
	assert.True(t, group.Leave(b))
	assert.Equal(t, mailbox.Delivery{Size: 1, Delivered: 1}, group.Broadcast(t.Context(), nothing))
	drain(t, sys)
	assert.EqualValues(t, 3, sys.Stats().Handled)
	assert.Zero(t, group.Len())
}

func TestEndedMembersLeave(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(t *testing.T, ref mailbox.Ref[job])
	}{
		{"stopped", func(t *testing.T, ref mailbox.Ref[job]) {
			t.Helper()
			require.NoError(t, ref.Stop(t.Context()))
		}},
		{"killed", func(t *testing.T, ref mailbox.Ref[job]) { t.Helper(); ref.Kill() }},
		{"failed", func(t *testing.T, ref mailbox.Ref[job]) {
			t.Helper()
			require.NoError(t, ref.Send(t.Context(), panics))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			sys := newSystem(t)
			one, two := newGroup[job](t, sys, "one"), newGroup[job](t, sys, "two")
			stays, goes := spawn(t, sys, "worker", do), spawn(t, sys, "worker", do)
			for _, ref := range []mailbox.Ref[job]{goes, stays} {
				require.NoError(t, one.Join(ref))
				require.NoError(t, two.Join(ref))
			}
			test.end(t, goes)
			await(t, goes.Done())
			assert.Equal(t, 1, one.Len())
			assert.Equal(t, 1, two.Len())
			require.ErrorIs(t, one.Join(goes), mailbox.ErrStopped)
			assert.False(t, one.Leave(goes))
			assert.Equal(t, mailbox.Delivery{Size: 1, Delivered: 1}, one.Broadcast(t.Context(), nothing))
			drain(t, sys)
		})
	}
}

func TestMembersOfSeveralKindsAndSystems(t *testing.T) {
	here, there := newSystem(t), newSystem(t)
	group := newGroup[job](t, here, "workers")
	require.NoError(t, group.Join(spawn(t, here, "a", do)))
	require.NoError(t, group.Join(spawn(t, here, "b", do, mailbox.WithCapacity(1))))
	require.NoError(t, group.Join(spawn(t, there, "c", do)))
	assert.Equal(t, mailbox.Delivery{Size: 3, Delivered: 3}, group.Broadcast(t.Context(), nothing))
	drain(t, here)
	drain(t, there)
	assert.EqualValues(t, 2, here.Stats().Handled)
	assert.EqualValues(t, 1, there.Stats().Handled)
}
