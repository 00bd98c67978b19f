// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

// memory returns what heap and stacks take, in bytes: all of it right now, and
// what of it is in use.
func memory() (taken, used uint64) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse, m.HeapAlloc + m.StackInuse
}

// A million idle processes, each with an ID and a handler that is a closure,
// are little memory and no goroutine.
func TestAMillionIdleProcesses(t *testing.T) {
	const (
		processes = 1_000_000
		most      = 300e6 // bytes right after spawning
		each      = 288   // bytes in use for each
	)
	sys := newSystem(t)
	kind, err := mailbox.NewKind[int](sys, "session")
	require.NoError(t, err)
	refs := make([]mailbox.Ref[int], processes)
	handled := make([]bool, processes)
	runtime.GC()
	takenBefore, usedBefore := memory()
	goroutines := runtime.NumGoroutine()
	start := time.Now()
	for i := range refs {
		refs[i], err = kind.Spawn(strconv.Itoa(i), func(_ context.Context, _ int) error {
			handled[i] = true
			return nil
		})
		if err != nil {
			require.NoError(t, err)
		}
	}
	took := time.Since(start)
	taken, _ := memory()
	runtime.GC()
	_, used := memory()
	t.Logf("spawned in %v; %d MB right after, %d B in use for each",
		took, (taken-takenBefore)/1e6, (used-usedBefore)/processes)
	assert.Less(t, float64(taken)-float64(takenBefore), most)
	assert.LessOrEqual(t, (used-usedBefore)/processes, uint64(each))
	assert.LessOrEqual(t, runtime.NumGoroutine()-goroutines, 2)

	for _, i := range []int{0, processes / 2, processes - 1} { // They are alive.
		require.NoError(t, refs[i].Send(t.Context(), 1))
		require.NoError(t, refs[i].Stop(t.Context()))
		assert.True(t, handled[i])
	}
}
