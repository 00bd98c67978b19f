// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

// crowd is a group of many light members on several machines.
type crowd struct {
	recorder *recorder
	groups   []*remote.Group[string]
	size     int
	handled  atomic.Int64
}

func newCrowd(t *testing.T, nodes, each int) *crowd {
	t.Helper()
	c := &crowd{recorder: newRecorder(t), size: nodes * each}
	server := natstest.Start(t, natstest.Options{})
	for i := range nodes {
		m := c.recorder.machine(t, server, fmt.Sprint("n", i))
		g := newGroup(t, m, "sessions")
		kind, err := mailbox.NewKind[string](m.sys, "member", mailbox.WithCapacity(64))
		require.NoError(t, err)
		for range each {
			ref, err := kind.Spawn("", func(context.Context, string) error {
				c.handled.Add(1)
				return nil
			})
			if err == nil {
				err = g.Join(ref)
			}
			if err != nil {
				require.NoError(t, err)
			}
		}
		c.groups = append(c.groups, g)
	}
	for _, g := range c.groups {
		eventually(t, func() bool { return g.Size() == c.size })
	}
	return c
}

// play broadcasts a number of times from each node, and waits each time until all members have
// handled it. The spans of every broadcast stand for exactly all members.
func (c *crowd) play(t *testing.T, times, spans int) (took time.Duration) {
	t.Helper()
	var ids []trace.TraceID
	want := c.handled.Load()
	start := time.Now()
	for range times {
		for _, g := range c.groups {
			id, d := c.recorder.broadcast(g, "hello")
			require.NoError(t, d.Err)
			require.Equal(t, c.size, d.Delivered)
			ids = append(ids, id)
			want += int64(c.size)
			eventually(t, func() bool { return c.handled.Load() == want })
		}
	}
	took = time.Since(start) / time.Duration(len(ids))
	for _, id := range ids {
		eventually(t, func() bool { n, _ := c.recorder.weights(id); return n == spans })
	}
	require.NoError(t, c.recorder.exactly(t, ids, c.size))
	return took
}

// Tens of thousands of members on three machines: 0.1 % of them are sampled, over all nodes.
func TestTensOfThousandsOfMembers(t *testing.T) {
	c := newCrowd(t, 3, 10_000)
	t.Logf("a broadcast to %d members on 3 nodes: %v", c.size, c.play(t, 5, 30))
}

// A million members on four machines, which are in one program here. A broadcast is sent to
// three nodes, once each, and leaves a thousand spans, each of which stands for a thousand
// members.
func TestAMillionMembers(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("takes five seconds and 0.8 GB, several times that under the race detector; TestTensOfThousandsOfMembers is the same with fewer")
	}
	const nodes, each, most = 4, 250_000, 900 // most bytes in use for each member
	before := inUse()
	start := time.Now()
	c := newCrowd(t, nodes, each)
	joined := time.Since(start)
	used := (inUse() - before) / (nodes * each)
	took := c.play(t, 1, 1000)
	t.Logf("%d members on %d nodes joined in %v; %d B in use for each; a broadcast took %v until all had handled it",
		c.size, nodes, joined.Round(time.Millisecond), used, took.Round(time.Millisecond))
	assert.LessOrEqual(t, used, uint64(most))
	runtime.KeepAlive(c)
}

// inUse returns how many bytes of heap and stacks are in use.
func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
