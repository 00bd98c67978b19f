// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package placement_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote/placement"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// Whoever asks for a process, at the same time and on any node, gets the same one.
func TestEachProcessHasOneOwner(t *testing.T) {
	t.Parallel()
	nodes := newCluster(t).machines(t, 3, nil)
	const ids = 50
	var asking sync.WaitGroup
	var mu sync.Mutex
	owners := make(map[string]map[string]int)
	for i := range ids {
		for _, m := range nodes {
			asking.Go(func() {
				id := fmt.Sprint("room ", i)
				s := ask(t, m, id)
				mu.Lock()
				defer mu.Unlock()
				if owners[id] == nil {
					owners[id] = make(map[string]int)
				}
				owners[id][fmt.Sprint(s.Node, s.Token)]++
			})
		}
	}
	asking.Wait()
	require.Len(t, owners, ids)
	for id, of := range owners {
		assert.Len(t, of, 1, id)
	}
	placed := uint64(0)
	for _, m := range nodes {
		n := m.kind.Stats().Placed
		assert.Positive(t, n, "each node has its share")
		placed += n
	}
	assert.EqualValues(t, ids, placed)
}

// A process keeps its place, wherever messages for it come from.
func TestMessagesReachTheProcess(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	nodes := c.machines(t, 2, nil)
	client := c.newMachine(t, c.server.Conn(t), func(config *placement.Config[counterMsg]) { config.Factory = nil })
	for i := range 20 {
		id := fmt.Sprint(i)
		for _, m := range append(nodes, client) {
			for range 5 {
				require.NoError(t, get(t, m, id).Send(t.Context(), add{1}))
			}
		}
		require.Eventually(t, func() bool { return ask(t, client, id).N == 15 }, patience, often)
	}
	assert.EqualValues(t, 20, nodes[0].kind.Stats().Placed+nodes[1].kind.Stats().Placed)
	assert.Zero(t, client.kind.Stats().Placed)
	assert.EqualValues(t, 20, client.kind.Stats().References)
	assert.Equal(t, "counter", client.kind.Name())
	assert.NotContains(t, get(t, client, "3").Kind(), "add")
}

// IDs may hold anything.
func TestIDs(t *testing.T) {
	t.Parallel()
	nodes := newCluster(t).machines(t, 2, nil)
	for _, id := range []string{"", "a.b", "*", ">", "a b\r\n", "ü", strings.Repeat("x", 255)} {
		assert.Zero(t, ask(t, nodes[0], id).N, id)
		assert.Equal(t, ask(t, nodes[0], id), ask(t, nodes[1], id), id)
	}
	_, err := nodes[0].kind.GetOrSpawn(t.Context(), strings.Repeat("x", 256))
	require.ErrorIs(t, err, mailbox.ErrConfig)
}

func TestConfig(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	m := c.newMachine(t, c.server.Conn(t), nil)
	for _, name := range []string{"", "a.b", "*", ">", "a b", strings.Repeat("x", 65)} {
		_, err := placement.NewKind(t.Context(), m.node, m.js, name, counters(), placement.Config[counterMsg]{})
		require.ErrorIs(t, err, mailbox.ErrConfig, name)
	}
	for _, config := range []placement.Config[counterMsg]{
		{Lease: time.Millisecond}, {Lease: time.Hour}, {Lease: -1}, {Replicas: -1}, {MaxPlaced: -1}, {MaxReferences: -1},
	} {
		_, err := placement.NewKind(t.Context(), m.node, m.js, "other", counters(), config)
		require.ErrorIs(t, err, mailbox.ErrConfig, config)
	}
	_, err := placement.NewKind(t.Context(), nil, m.js, "other", counters(), placement.Config[counterMsg]{})
	require.ErrorIs(t, err, mailbox.ErrConfig)
	_, err = placement.NewState(t.Context(), nil, placement.StateConfig{})
	require.ErrorIs(t, err, mailbox.ErrConfig)
}

// Without a node that runs the kind, GetOrSpawn waits for one.
func TestNobodyOffers(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	client := c.newMachine(t, c.server.Conn(t), func(config *placement.Config[counterMsg]) { config.Factory = nil })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := client.kind.GetOrSpawn(ctx, "1")
	require.ErrorIs(t, err, placement.ErrNoNode)
	require.ErrorIs(t, err, context.DeadlineExceeded)

	got := make(chan error, 1)
	go func() {
		_, err := client.kind.GetOrSpawn(context.Background(), "1")
		got <- err
	}()
	c.newMachine(t, c.server.Conn(t), nil)
	require.NoError(t, <-got)
}

func TestBounds(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	full := c.newMachine(t, c.server.Conn(t), func(config *placement.Config[counterMsg]) { config.MaxPlaced = 3 })
	client := c.newMachine(t, c.server.Conn(t), func(config *placement.Config[counterMsg]) {
		config.Factory, config.MaxReferences = nil, 2
	})
	first := get(t, client, "0")
	for i := range 3 {
		ask(t, client, fmt.Sprint(i))
	}
	assert.EqualValues(t, 2, client.kind.Stats().References)
	require.Eventually(t, func() bool { _, err := sumOf(t.Context(), first); return err != nil }, patience, often,
		"the reference that was asked for first is stopped")
	for _, m := range []*machine{full, client} {
		_, err := m.kind.GetOrSpawn(t.Context(), "3")
		require.ErrorIs(t, err, mailbox.ErrFull)
	}
	assert.EqualValues(t, 3, full.kind.Stats().Placed)
}

// The error says what was missing, also if ctx ends while the store is asked.
func TestErrorSaysWhatWasMissing(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	client := func(get func(context.Context, string) error) *machine {
		c.wrap = func(js jetstream.JetStream) jetstream.JetStream { return &disturbed{JetStream: js, get: get} }
		return c.newMachine(t, c.server.Conn(t), func(config *placement.Config[counterMsg]) { config.Factory = nil })
	}
	hangs := client(func(ctx context.Context, _ string) error {
		<-ctx.Done()
		return ctx.Err()
	})
	ctx, cancel := context.WithTimeout(t.Context(), often)
	defer cancel()
	_, err := hangs.kind.GetOrSpawn(ctx, "1")
	require.ErrorIs(t, err, placement.ErrNoNode)
	require.ErrorIs(t, err, context.DeadlineExceeded)

	failed, asked := errors.New("the store is broken"), 0
	ctx, cancel = context.WithCancel(t.Context())
	breaks := client(func(asking context.Context, _ string) error {
		if asked++; asked < 3 {
			return failed
		}
		cancel()
		<-asking.Done()
		return asking.Err()
	})
	_, err = breaks.kind.GetOrSpawn(ctx, "1")
	require.ErrorIs(t, err, failed)
	require.ErrorIs(t, err, context.Canceled)
}

// Claims that are made at the same time do not go beyond the bound together.
func TestMaxPlacedOfManyClaims(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	m := c.newMachine(t, c.server.Conn(t), func(config *placement.Config[counterMsg]) { config.MaxPlaced = 3 })
	var asking sync.WaitGroup
	for i := range 50 {
		asking.Go(func() {
			if _, err := m.kind.GetOrSpawn(context.Background(), fmt.Sprint(i)); err != nil {
				assert.ErrorIs(t, err, mailbox.ErrFull)
			}
		})
	}
	asking.Wait()
	assert.EqualValues(t, 3, m.kind.Stats().Placed)
}

// A claim that fails gives its place back.
func TestMaxPlacedAfterAFailure(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	lost := errors.New("the answer was lost")
	c.wrap = func(js jetstream.JetStream) jetstream.JetStream {
		return &disturbed{JetStream: js, create: func(context.Context, string) error { return lost }}
	}
	m := c.newMachine(t, c.server.Conn(t), func(config *placement.Config[counterMsg]) { config.MaxPlaced = 1 })
	assert.Equal(t, m.name, ask(t, m, "1").Node)
	_, err := m.kind.GetOrSpawn(t.Context(), "2")
	require.ErrorIs(t, err, mailbox.ErrFull)
}

// A process that ended is started again for the next one who asks, and until then its
// record is given up.
func TestEndedProcess(t *testing.T) {
	t.Parallel()
	nodes := newCluster(t).machines(t, 2, brief)
	before := ask(t, nodes[0], "1")
	owner := nodes[0]
	if before.Node != owner.name {
		owner = nodes[1]
	}
	local := get(t, owner, "1")
	require.NoError(t, local.Send(t.Context(), add{7}))
	require.NoError(t, local.Stop(t.Context()))
	for _, m := range nodes {
		after := ask(t, m, "1")
		assert.Equal(t, 7, after.N, "its state was saved")
		assert.Greater(t, after.Token, before.Token)
	}
	require.NoError(t, get(t, owner, "1").Stop(t.Context()))
	require.Eventually(t, func() bool { return owner.kind.Stats().Placed == 0 }, patience, often)
	assert.Equal(t, 7, ask(t, nodes[0], "1").N)
}
