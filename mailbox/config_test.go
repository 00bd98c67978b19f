// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

func TestSettingsThatMakeNoSenseAreRefused(t *testing.T) {
	for _, test := range []struct {
		name string
		opt  mailbox.KindOption
		says string
	}{
		{"negative capacity", mailbox.WithCapacity(-3), "capacity -3"},
		{"capacity without bound", mailbox.WithCapacity(math.MaxInt), "at most 16777216"},
		{"capacity just above the bound", mailbox.WithCapacity(1<<24 + 1), "capacity 16777217"},
		{"negative passivation", mailbox.WithPassivation(-1), "passivation after -1ns"},
		{"overflow", mailbox.WithOverflow(3), "overflow 3"},
		{"negative overflow", mailbox.WithOverflow(-1), "overflow -1"},
		{"error policy", mailbox.WithErrorPolicy(3), "failure policy"},
		{"negative error policy", mailbox.WithErrorPolicy(-1), "failure policy"},
		{"panic policy", mailbox.WithPanicPolicy(3), "failure policy"},
		{"negative panic policy", mailbox.WithPanicPolicy(-1), "failure policy"},
	} {
		t.Run(test.name, func(t *testing.T) {
			sys := newSystem(t)
			kind, err := mailbox.NewKind[job](sys, "worker", mailbox.WithCapacity(1), test.opt)
			require.ErrorIs(t, err, mailbox.ErrConfig)
			require.ErrorContains(t, err, test.says)
			require.ErrorContains(t, err, `"worker"`)
			assert.Nil(t, kind)
			_, err = mailbox.Spawn(sys, "worker", do, test.opt)
			require.ErrorIs(t, err, mailbox.ErrConfig)
			assert.Zero(t, sys.Stats().Processes)
		})
	}
}

func TestKindNeedsANameAndProcessesAHandler(t *testing.T) {
	sys := newSystem(t)
	_, err := mailbox.NewKind[job](sys, "")
	require.ErrorIs(t, err, mailbox.ErrConfig)
	_, err = mailbox.Spawn(sys, "", do)
	require.ErrorIs(t, err, mailbox.ErrConfig)
	_, err = mailbox.Spawn[job](sys, "worker", nil)
	require.ErrorIs(t, err, mailbox.ErrConfig)
	kind, err := mailbox.NewKind[job](sys, "worker")
	require.NoError(t, err)
	assert.Equal(t, "worker", kind.Name())
	_, err = kind.Spawn("w-1", nil)
	require.ErrorIs(t, err, mailbox.ErrConfig)
}

func TestGreatestCapacity(t *testing.T) {
	_, err := mailbox.NewKind[job](newSystem(t), "worker", mailbox.WithCapacity(1<<24))
	require.NoError(t, err)
}

func TestDefaultCapacity(t *testing.T) {
	sys := newSystem(t)
	ref := spawn(t, sys, "worker", do, mailbox.WithCapacity(0))
	held, entered, release := hold()
	require.NoError(t, ref.Send(t.Context(), held))
	await(t, entered)
	sent := 0
	for ref.TrySend(context.Background(), nothing) == nil {
		sent++
	}
	assert.Equal(t, 1024, sent)
	release()
	drain(t, sys)
}

func TestStatsOfAnEmptySystem(t *testing.T) {
	sys := newSystem(t)
	assert.Zero(t, sys.Stats())
	require.NoError(t, sys.Shutdown(t.Context()))
	assert.Zero(t, sys.Stats())
}

func TestTotalsAddUpAllReasons(t *testing.T) {
	assert.EqualValues(t, 7, mailbox.Refused{Full: 1, Stopped: 2, Cancelled: 4}.Total())
	assert.EqualValues(t, 15, mailbox.DeadLetters{Killed: 1, Failed: 2, Dropped: 4, Expired: 8}.Total())
}
