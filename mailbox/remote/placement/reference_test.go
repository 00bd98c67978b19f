// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package placement_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox/remote/placement"
)

// Whoever stops a reference to a process on another node leaves the process alone, and others
// that ask for it get a reference that works.
func TestAReferenceThatWasStopped(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	owner := c.machines(t, 1, nil)[0]
	client := c.newMachine(t, c.server.Conn(t), func(config *placement.Config[counterMsg]) { config.Factory = nil })
	require.NoError(t, get(t, client, "1").Send(t.Context(), add{1}))
	first := ask(t, client, "1")
	require.NoError(t, get(t, client, "1").Stop(t.Context()))
	assert.Equal(t, first, ask(t, client, "1"))
	get(t, client, "1").Kill()
	require.Eventually(t, func() bool {
		_, err := sumOf(t.Context(), get(t, client, "1"))
		return err == nil
	}, patience, often)
	assert.EqualValues(t, 1, client.kind.Stats().References)
	assert.EqualValues(t, 1, owner.kind.Stats().Placed)
}
