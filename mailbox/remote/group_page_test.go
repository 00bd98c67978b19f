// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

// Event is what sessions are told.
type Event struct{ Text string }

// toldToAll is what the page on nodes shows of groups.
func toldToAll(ctx context.Context, node *remote.Node, session mailbox.Ref[Event]) error {
	// nodes: group
	// On every node:
	sessions, err := remote.NewGroup(node, "sessions", remote.Protocol[Event]{})
	if err != nil {
		return err
	}
	if err := sessions.Join(session); err != nil {
		return err
	}

	// On any of them:
	d := sessions.Broadcast(ctx, Event{Text: "hello"}) // to d.Size sessions on d.Nodes nodes
	return d.Err
	// nodes: end
}

func TestThePageBroadcasts(t *testing.T) {
	m := newMachine(t, natstest.Start(t, natstest.Options{}))
	got := make(chan Event, 1)
	session, err := mailbox.Spawn(m.sys, "session", func(_ context.Context, e Event) error {
		got <- e
		return nil
	})
	require.NoError(t, err)
	require.NoError(t, toldToAll(t.Context(), m.node, session))
	require.Equal(t, Event{"hello"}, await(t, got))
}
