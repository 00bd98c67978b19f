// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package nodes_test

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// On a server that others use too, a stranger who has seen a subject cannot have all of the
// history read at once.
func TestStrangersGetNoHistoryWithoutEnd(t *testing.T) {
	s := startNATS(t, 0)
	defer func() { s.Shutdown(); s.WaitForShutdown() }()
	stranger, err := nats.Connect(s.ClientURL())
	require.NoError(t, err)
	defer stranger.Close()
	seen, err := stranger.SubscribeSync("*.guild-node")
	require.NoError(t, err)
	require.NoError(t, stranger.Flush())
	w := newWorld(t, 1, s.ClientURL())
	for range 30 {
		w.add()
	}
	w.connect(1)
	m, err := seen.NextMsg(patience)
	require.NoError(t, err)
	for count, most := range map[string]int{"-1": 0, "1000000": 20} {
		answer, err := stranger.Request(m.Subject, []byte(`{"type":"messages","message":{"guild":1,"after":0,"count":`+count+`}}`), patience)
		require.NoError(t, err)
		assert.Equal(t, most, strings.Count(string(answer.Data), `"seq"`), "%s: %.300s", count, answer.Data)
	}
}
