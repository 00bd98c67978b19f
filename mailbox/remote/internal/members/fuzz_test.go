// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package members_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/mailbox/remote/internal/members"
	"github.com/waybill-go/waybill/mailbox/remote/internal/subject"
)

// Whatever arrives, a table stays within its bounds, and knows only subjects to publish to.
func FuzzReceive(f *testing.F) {
	f.Add(announced("b", 1, 1, 10), announced("c", 1, 1, 0))
	f.Add([]byte(`{"node":"b","session":1,"number":1,"members":7,"ask":true}`), []byte(`{"node":"b","session":1,"number":2,"leave":true}`))
	f.Add([]byte(`{"Node":"b.>","session":1e1}`), []byte(`{}`))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		table := members.New(members.Config{Node: "a", Session: 1, Prefix: "p.", MaxNodes: 1})
		table.Receive(start, first)
		table.Receive(start, second)
		v := table.View()
		require.LessOrEqual(t, v.Known, 1)
		require.LessOrEqual(t, len(v.Nodes), v.Known)
		for _, n := range v.Nodes {
			require.NoError(t, subject.Check(n.Subject))
			require.NotEqual(t, "a", n.Name)
			require.Positive(t, n.Members)
			require.LessOrEqual(t, n.Members, fanout.MaxSize)
		}
		assert.LessOrEqual(t, table.Stats().Malformed, uint64(2))
		send, _ := table.Tick(start, 3)
		other := members.New(members.Config{Node: "z", Session: 1, Prefix: "p."})
		assert.True(t, other.Receive(start, send).Ask, "it asks")
		assert.Equal(t, 3, other.View().Members)
	})
}
