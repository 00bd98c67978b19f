// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope_test

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/sampling/fanout"
)

// A goroutine that receives for one of very many clients needs no more than the stack it
// begins with, as one with a plain loop does, as long as none of its messages is sampled. The
// runtime learns how much stack goroutines need and gives later ones more, which would hide
// the difference. So the test runs in a process of its own, in which the runtime does not. It
// needs an optimised build: without inlining, frames are larger.
func TestAReceiverFitsIntoTheFirstStack(t *testing.T) {
	const inside = "WAYBILL_TEST_STACKS"
	if os.Getenv(inside) == "" {
		self, err := os.Executable()
		require.NoError(t, err)
		cmd := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), inside+"=1", "GODEBUG=adaptivestackstart=0")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return
	}
	plain := stacks(t, func(ch <-chan envelope.Envelope[order]) {
		for range ch {
		}
	})
	provider := sdktrace.NewTracerProvider()
	ours := stacks(t, func(ch <-chan envelope.Envelope[order]) {
		for range envelope.Receive(context.Background(), ch, "show", envelope.WithTracerProvider(provider)) {
		}
	})
	assert.Less(t, ours, plain*3/2)
}

// stacks returns how much stack a goroutine takes that calls receive, which gets an untraced
// message, and one that a fan-out has skipped.
func stacks(t *testing.T, receive func(<-chan envelope.Envelope[order])) (bytes uint64) {
	t.Helper()
	const clients = 1000
	hub, err := fanout.New("hub")
	require.NoError(t, err)
	var wg sync.WaitGroup
	runtime.GC() // It frees the stacks of goroutines that have ended.
	before := stackInUse()
	channels := make([]chan envelope.Envelope[order], clients)
	for i := range channels {
		channels[i] = make(chan envelope.Envelope[order])
		wg.Go(func() { receive(channels[i]) })
	}
	b := hub.Begin(sampledContext(t), clients)
	for _, ch := range channels {
		ch <- envelope.Bare(order{1})
		if h := b.Next(); !h.Sampled() {
			ch <- envelope.New(order{2}, h)
		}
	}
	b.End()
	bytes = (stackInUse() - before) / clients
	for _, ch := range channels {
		close(ch)
	}
	wg.Wait()
	return bytes
}

func stackInUse() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.StackInuse
}
