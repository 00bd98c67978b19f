// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestATallyTellsWhenABatchIsComplete(t *testing.T) {
	tl := newTally()
	for batch := range 3 {
		tl.expect(4)
		for range 4 {
			assert.Empty(t, tl.done)
			tl.take()
		}
		tl.wait()
		assert.Equal(t, 4*(batch+1), tl.handled())
	}
}

func TestALatchOpensWhenAllHaveTaken(t *testing.T) {
	for _, handlers := range []int{1, shardSize - 1, shardSize, shardSize + 1, 5*shardSize + 7} {
		l := newLatch(handlers)
		for range 3 {
			for i := range handlers {
				assert.Empty(t, l.done)
				l.of(i).take()
			}
			l.wait()
		}
		assert.Equal(t, 3*handlers, l.handled())
		l.of(0).take()
		assert.Equal(t, 3*handlers+1, l.handled())
	}
}

func TestALatchCountsConcurrentHandlers(t *testing.T) {
	const handlers, workers, rounds = 1000, 8, 20
	l := newLatch(handlers)
	for range rounds {
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				for i := w; i < handlers; i += workers {
					l.of(i).take()
				}
			})
		}
		l.wait()
		wg.Wait()
	}
	assert.Equal(t, rounds*handlers, l.handled())
}
