// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

// The first failure of a process is at no moment counted as anything else.
func TestFirstFailureIsNeverMiscounted(t *testing.T) {
	const processes = 20_000
	sys := newSystem(t)
	kind := newKind[job](t, sys, "worker")
	var sent atomic.Uint64
	done := make(chan struct{})
	sampled := make(chan struct{})
	go func() {
		defer close(sampled)
		for !t.Failed() {
			select {
			case <-done:
				return
			default:
			}
			s := sys.Stats()
			assert.LessOrEqual(t, s.Accepted, sent.Load())
			assert.Zero(t, s.Handled)
			assert.Equal(t, s.Accepted, s.Failed+s.Queued)
		}
	}()
	live := make([]mailbox.Ref[job], 0, 16)
	for range processes {
		ref, err := kind.Spawn("", do)
		require.NoError(t, err)
		sent.Add(1)
		sendAll(t, ref, fails)
		if live = append(live, ref); len(live) == cap(live) { // Few: Stats looks at all.
			for _, ref := range live {
				require.NoError(t, ref.Stop(t.Context()))
			}
			live = live[:0]
		}
	}
	close(done)
	<-sampled
	drain(t, sys)
	assert.EqualValues(t, processes, sys.Stats().Failed)
}
