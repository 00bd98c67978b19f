// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"testing"

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
