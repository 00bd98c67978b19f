// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"runtime"
	"strconv"
	"sync/atomic"
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

// A million idle processes, each with an ID and a closure of its own, are little
// memory and no goroutine, whether they are found by their IDs or not.
func TestAMillionIdleProcesses(t *testing.T) {
	const (
		processes = 1_000_000
		most      = 300e6 // bytes right after spawning
		each      = 288   // bytes in use for each
	)
	if testing.Short() {
		t.Skip("takes a quarter of a minute under the race detector, and is the same with any number of processors")
	}
	var handled atomic.Int64
	handlerOf := func(id int) mailbox.Handler[int] {
		return func(context.Context, int) error {
			handled.Add(int64(id))
			return nil
		}
	}
	for _, test := range []struct {
		name  string
		spawn func(kind *mailbox.Kind[int], id int) (mailbox.Ref[int], error)
	}{
		{"spawned", func(kind *mailbox.Kind[int], id int) (mailbox.Ref[int], error) {
			return kind.Spawn(strconv.Itoa(id), handlerOf(id))
		}},
		{"registered", func(kind *mailbox.Kind[int], id int) (mailbox.Ref[int], error) {
			return kind.GetOrSpawn(strconv.Itoa(id),
				func(context.Context, mailbox.Ref[int]) (mailbox.Instance[int], error) {
					return mailbox.Instance[int]{Handle: handlerOf(id)}, nil
				})
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			sys := newSystem(t)
			kind := newKind[int](t, sys, "session")
			refs := make([]mailbox.Ref[int], processes)
			runtime.GC()
			takenBefore, usedBefore := memory()
			goroutines := runtime.NumGoroutine()
			start := time.Now()
			for i := range refs {
				ref, err := test.spawn(kind, i)
				if err != nil {
					require.NoError(t, err)
				}
				refs[i] = ref
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

			handled.Store(0)
			for _, i := range []int{1, processes / 2, processes - 1} { // They are alive.
				require.NoError(t, refs[i].Send(t.Context(), 1))
				require.NoError(t, refs[i].Stop(t.Context()))
			}
			assert.EqualValues(t, 1+processes/2+processes-1, handled.Load())
		})
	}
}
