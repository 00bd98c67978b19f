// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package contexts_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestContextEndsWithItsOwner(t *testing.T) {
	for name, waits := range map[string]bool{"somebody waits": true, "nobody waited": false} {
		t.Run(name, func(t *testing.T) {
			p := newProcess()
			var before <-chan struct{}
			if waits {
				before = p.Done()
				assert.Equal(t, before, p.Done(), "the same channel each time")
			}
			require.NoError(t, p.Err())
			p.end()
			p.end() // It may be told more than once.
			require.ErrorIs(t, p.Err(), context.Canceled)
			assert.True(t, over(p))
			if waits {
				_, open := <-before
				assert.False(t, open)
			}
		})
	}
}

// The owner's flag comes first, and who has set it tells of it a little later. Whoever
// has seen the context ended sees its channel closed.
func TestWhoSeesTheEndFirstTellsOfIt(t *testing.T) {
	p := newProcess()
	done := p.Done()
	p.ended.Store(true)
	require.ErrorIs(t, p.Err(), context.Canceled)
	select {
	case <-done:
	default:
		assert.Fail(t, "Err has told of an end that Done has not")
	}
}

func TestFunctionsAreCalledOnceAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProcess()
		var early, stopped, late atomic.Int32
		stopEarly := p.AfterFunc(func() { early.Add(1) })
		stopStopped := p.AfterFunc(func() { stopped.Add(1) })
		assert.True(t, stopStopped())
		assert.False(t, stopStopped(), "it was stopped before")
		synctest.Wait()
		assert.Zero(t, early.Load())
		p.end()
		p.end()
		stopLate := p.AfterFunc(func() { late.Add(1) })
		synctest.Wait()
		assert.EqualValues(t, 1, early.Load())
		assert.Zero(t, stopped.Load())
		assert.EqualValues(t, 1, late.Load(), "at once: the owner has ended")
		assert.False(t, stopEarly())
		assert.False(t, stopLate())
	})
}
