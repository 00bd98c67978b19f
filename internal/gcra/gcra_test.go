// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package gcra_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/waybill-go/waybill/internal/gcra"
)

func TestAdmitsAtTheRate(t *testing.T) {
	const cost, burst = 100, 900 // ten at once, and then one for each 100
	for _, begin := range []int64{-1_000_000, 0, 1, 1_000_000} {
		var l gcra.Limiter
		admit := func(now int64, tries int) (admitted int) {
			for range tries {
				if l.Admit(begin+now, cost, burst) {
					admitted++
				}
			}
			return admitted
		}
		assert.Equal(t, 10, admit(0, 50))
		assert.Equal(t, 0, admit(99, 50))
		assert.Equal(t, 1, admit(100, 50))
		assert.Equal(t, 3, admit(400, 50))
		assert.Equal(t, 10, admit(1_000_000, 50), "no more than a burst is saved up")
		l.Refund(2 * cost)
		assert.Equal(t, 2, admit(1_000_000, 50))
	}
}

func TestWhatCostsNothingIsAdmittedByThePast(t *testing.T) {
	var l gcra.Limiter
	assert.True(t, l.Admit(1, 0, 0))
	assert.True(t, l.Admit(1, 1000, 0), "one is, whatever it costs")
	assert.False(t, l.Admit(1, 0, 0))
	assert.True(t, l.Admit(1001, 0, 0))
}

func TestManyAdmitNoMoreThanOne(t *testing.T) {
	var l gcra.Limiter
	var admitted atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 10_000 {
				if l.Admit(5, 100, 900) {
					admitted.Add(1)
				}
			}
		})
	}
	all.Wait()
	assert.EqualValues(t, 10, admitted.Load())
}
