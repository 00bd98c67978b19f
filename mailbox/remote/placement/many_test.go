// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package placement_test

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote/placement"
)

// light is a process without a state.
func light(context.Context, mailbox.Ref[counterMsg]) (mailbox.Instance[counterMsg], error) {
	return mailbox.Instance[counterMsg]{Handle: func(_ context.Context, message counterMsg) error {
		if message, ok := message.(read); ok {
			message.reply.Answer(sum{})
		}
		return nil
	}}, nil
}

// Ten thousand processes on three nodes have no goroutine of their own, nor have the references
// to them, and little memory. When one of the nodes is lost, the others take its share over.
func TestManyProcesses(t *testing.T) {
	processes := 10000
	if testing.Short() || raceDetector {
		processes = 2000
	}
	c := newCluster(t)
	nodes := make([]*machine, 3)
	for i := range nodes {
		nodes[i] = c.newMachine(t, c.server.Conn(t), func(config *placement.Config[counterMsg]) {
			brief(config)
			config.Factory, config.Lease = light, 2*lease
		})
	}
	asking := nodes[2]
	require.Eventually(t, func() bool { return asking.kind.Stats().Nodes == 3 }, patience, often)
	goroutines, memory := runtime.NumGoroutine(), inUse()
	begun := time.Now()
	var group sync.WaitGroup
	var next atomic.Int64
	for range 64 {
		group.Go(func() {
			for i := next.Add(1); i <= int64(processes); i = next.Add(1) {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				ref, err := asking.kind.GetOrSpawn(ctx, strconv.FormatInt(i, 10))
				if err == nil {
					_, err = sumOf(ctx, ref)
				}
				cancel()
				assert.NoError(t, err)
			}
		})
	}
	group.Wait()
	took := time.Since(begun)
	placed := make([]int, len(nodes))
	for i, m := range nodes {
		placed[i] = int(m.kind.Stats().Placed)
		assert.InDelta(t, processes/3, placed[i], float64(processes)/10, m.name)
	}
	require.Eventually(t, func() bool { return runtime.NumGoroutine() < goroutines+100 }, patience, often, "no goroutine for each")
	each := (int64(inUse()) - int64(memory)) / int64(processes)
	t.Logf("%d processes on %v nodes in %v: %d bytes each, the store of the server included; %d goroutines, %d before",
		processes, placed, took, each, runtime.NumGoroutine(), goroutines)
	assert.Less(t, each, int64(8<<10))

	begun = time.Now()
	nodes[0].conn.Close()
	require.Eventually(t, func() bool {
		return nodes[1].kind.Stats().Placed+nodes[2].kind.Stats().Placed == uint64(processes)
	}, patience, often)
	t.Logf("%d taken over in %v, with a lease of %v", placed[0], time.Since(begun), 2*lease)
}

// inUse returns how much memory is in use.
func inUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// A message without a trace costs no allocation more than it does to a process that is not
// placed.
func TestPlacedHandlingDoesNotAllocate(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	c := newCluster(t)
	var handled atomic.Uint64
	handler := func(ctx context.Context, _ counterMsg) error {
		if token, ok := placement.Token(ctx); ok && token == 0 {
			return fmt.Errorf("a token of 0")
		}
		handled.Add(1)
		return nil
	}
	m := c.newMachine(t, c.server.Conn(t), func(config *placement.Config[counterMsg]) {
		config.Factory = func(context.Context, mailbox.Ref[counterMsg]) (mailbox.Instance[counterMsg], error) {
			return mailbox.Instance[counterMsg]{Handle: handler}, nil
		}
		config.Lease = patience // Renewals allocate.
	})
	ref := get(t, m, "1")
	ctx := context.Background()
	var message counterMsg = add{1}
	sent := uint64(0)
	send := func() {
		sent++
		if ref.Send(ctx, message) != nil {
			t.Error("not sent")
		}
		for handled.Load() < sent {
			runtime.Gosched()
		}
	}
	send()
	assert.Less(t, testing.AllocsPerRun(1000, send), 0.5)
}
