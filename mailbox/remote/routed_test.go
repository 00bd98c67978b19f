// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"context"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
	"github.com/waybill-go/waybill/mailbox/remote/internal/routing"
)

// losing is a process whose node is found to be lost between the look for it and the sending.
type losing struct {
	first, second string // where the process is, and then is
	lose          func(subject string)
}

func (*losing) Name() string { return "asks 1" }

func (l *losing) Subject(context.Context) (string, error) {
	defer l.lose(l.first)
	return l.first, nil
}

func (l *losing) Again(context.Context, string) (string, error) {
	defer l.lose(l.second)
	return l.second, nil
}

// A call that is about to be sent when its node is found to be lost fails, and does not wait for
// its deadline: the node may stand still, and then its subscription is still there.
func TestCallWhileItsNodeIsLost(t *testing.T) {
	for name, test := range map[string]struct {
		lost  string
		stats remote.NotSent
		calls remote.Calls
	}{
		"before it is sent":       {"one.1", remote.NotSent{Unplaced: 1}, remote.Calls{}},
		"before it is sent again": {"two.1", remote.NotSent{}, remote.Calls{Failed: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			server := natstest.Start(t, natstest.Options{})
			foreign := server.Conn(t)
			_, err := foreign.Subscribe("one.1", func(m *nats.Msg) { _ = m.RespondMsg(routing.NotHandled(m.Reply)) })
			require.NoError(t, err)
			_, err = foreign.SubscribeSync("two.1")
			require.NoError(t, err)
			require.NoError(t, foreign.Flush())
			m := newMachine(t, server)
			newRef, lost, err := remote.RoutedRefs(m.node, "asks", asks())
			require.NoError(t, err)
			ref, err := newRef("1", &losing{"one.1", "two.1", func(subject string) {
				if subject == test.lost {
					lost(subject[:len("one.")])
				}
			}})
			require.NoError(t, err)
			_, err = mailbox.Call(t.Context(), ref, func(r mailbox.Reply[string]) ask { return ask{reply: r} })
			require.ErrorIs(t, err, mailbox.ErrStopped)
			require.ErrorContains(t, err, "its node is gone")
			assert.Equal(t, test.stats, m.node.Stats().NotSent)
			assert.Equal(t, test.calls, m.node.Stats().Calls)
		})
	}
}
