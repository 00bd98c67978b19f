// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package gcra_test

import (
	"math"
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

// However low a rate is, it is a bound: the first may come, and no other soon.
func TestLowRatesBound(t *testing.T) {
	allowed := func(perSecond float64) (n int) {
		var l gcra.Limiter
		for range 100 {
			if l.Allow(1, perSecond) {
				n++
			}
		}
		return n
	}
	for _, perSecond := range []float64{1, 1e-3, 1e-9, 1e-10, 1e-12, math.SmallestNonzeroFloat64} {
		assert.Equal(t, 1, allowed(perSecond), "%v per second", perSecond)
	}
	assert.Equal(t, 10, allowed(10))
	assert.Equal(t, 100, allowed(math.Inf(1)))
}
