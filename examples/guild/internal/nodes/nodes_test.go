// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package nodes_test

import (
	"context"
	"net"
	"regexp"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/examples/guild/internal/nodes"
	"github.com/waybill-go/waybill/sampling"
)

// A post that was lost on its way to the nodes comes from the history, to each session once and
// in its order.
func TestLostBroadcastsComeFromTheHistory(t *testing.T) {
	const clients = 60 // Half of them are in guild 1.
	w := newWorld(t, 2, "")
	w.connect(clients)
	w.publish(w.add())
	s := w.until(func(s nodes.State) bool { return s.Taken == clients/2 })
	assert.Zero(t, s.Sessions.CaughtUp)

	lost := w.add() // It is as if its broadcast were lost.
	s = w.until(func(s nodes.State) bool { return s.Taken == 2*clients/2 })
	assert.EqualValues(t, clients/2, s.Sessions.CaughtUp)

	w.publish(lost) // It comes after all.
	w.publish(w.add())
	s = w.until(func(s nodes.State) bool { return s.Taken == 3*clients/2 })
	assert.EqualValues(t, 3*clients/2, s.Sessions.Delivered)
	assert.EqualValues(t, clients/2, s.Sessions.CaughtUp)
	assert.Zero(t, s.Sessions.Behind)
	for _, v := range w.fleet.Views() {
		assert.Equal(t, 1, v.Starts)
	}
}

// The server of NATS ends, and another takes its place. What was posted meanwhile comes later.
func TestTheServerOfNATSComesBack(t *testing.T) {
	const clients = 40
	server := startNATS(t, 0)
	w := newWorld(t, 2, server.ClientURL())
	w.connect(clients)
	w.publish(w.add())
	w.until(func(s nodes.State) bool { return s.Taken == clients/2 })

	port := server.Addr().(*net.TCPAddr).Port
	server.Shutdown()
	server.WaitForShutdown()
	w.publish(w.add())
	server = startNATS(t, port)
	defer func() { server.Shutdown(); server.WaitForShutdown() }()
	w.publish(w.add())
	s := w.until(func(s nodes.State) bool { return s.Taken == 3*clients/2 })
	assert.EqualValues(t, 3*clients/2, s.Sessions.Delivered)
	assert.Zero(t, s.Sessions.Missed+s.Sessions.Repeated)
}

// A change of the tracing that comes after a node was told what to begin with, and before it is ready, is
// made good.
func TestANodeFollowsAChangeWhileItStarts(t *testing.T) {
	folder := t.TempDir()
	t.Setenv(gate, folder)
	control, err := sampling.NewControl(sampling.Config{})
	require.NoError(t, err)
	var changing sync.WaitGroup
	defer changing.Wait()
	changing.Go(func() {
		awaitMark(folder, "there")
		assert.NoError(t, control.Set(sampling.Config{Default: sampling.KindConfig{NoSpans: true}}))
		mark(folder, "go on")
	})
	w := newWorldWith(t, 1, "", control)
	w.until(func(nodes.State) bool { return w.fleet.Views()[0].Sampling.Default.NoSpans })
}

// Strangers on this machine do not get in.
func TestStrangersDoNotReachTheNodes(t *testing.T) {
	w := newWorld(t, 1, "")
	url := regexp.MustCompile(`nats://127\.0\.0\.1:\d+`).FindString(w.hub.String())
	require.NotEmpty(t, url)
	_, err := nats.Connect(url)
	require.ErrorIs(t, err, nats.ErrAuthorization)
	_, err = nats.Connect(url, nats.Token("guessed"))
	require.ErrorIs(t, err, nats.ErrAuthorization)
}

// Clients of a guild that is not there are no clients.
func TestAnUnknownGuild(t *testing.T) {
	w := newWorld(t, 1, "")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := w.fleet.Connect(ctx, nodes.Clients{End: 3, Guilds: 3}, func(int) {})
	assert.ErrorContains(t, err, chat.ErrUnknownGuild.Error())
}

func TestClients(t *testing.T) {
	for _, test := range []struct {
		clients nodes.Clients
		want    int
	}{
		{nodes.Clients{First: 10, Step: 3, End: 10}, 0},
		{nodes.Clients{First: 10, Step: 3, End: 11}, 1},
		{nodes.Clients{First: 10, Step: 3, End: 13}, 1},
		{nodes.Clients{First: 10, Step: 3, End: 14}, 2},
		{nodes.Clients{First: 12, Step: 3, End: 11}, 0},
	} {
		assert.Equal(t, test.want, test.clients.Len(), "%+v", test.clients)
	}
}
