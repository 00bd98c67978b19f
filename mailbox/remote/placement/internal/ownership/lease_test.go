// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package ownership_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/waybill-go/waybill/mailbox/remote/placement/internal/ownership"
)

func TestLease(t *testing.T) {
	begin := time.Now()
	at := begin.Add
	l := ownership.NewLease(begin)
	assert.False(t, l.Held(at(0)), "it has not begun")
	assert.True(t, l.Extend(at(10*time.Second)))
	assert.True(t, l.Held(at(10*time.Second-1)))
	assert.False(t, l.Held(at(10*time.Second)))
	assert.Equal(t, 4*time.Second, l.Remaining(at(6*time.Second)))

	assert.True(t, l.Extend(at(5*time.Second)), "an answer that comes late")
	assert.True(t, l.Held(at(9*time.Second)), "does not shorten it")
	assert.True(t, l.Extend(at(20*time.Second)), "one that comes after the end lengthens it")
	assert.True(t, l.Held(at(15*time.Second)))

	assert.True(t, l.End())
	assert.False(t, l.End())
	assert.False(t, l.Held(at(15*time.Second)))
	assert.False(t, l.Extend(at(time.Hour)), "it has ended for good")
	assert.False(t, l.Held(at(16*time.Second)))
	assert.Zero(t, l.Remaining(at(16*time.Second)))
}

// While a machine sleeps, its monotonic clock may stand still, and its wall clock goes on
// or is set when it wakes up. The other way round, a wall clock may be set back.
func TestLeaseHasTwoClocks(t *testing.T) {
	begin := time.Now()
	l := ownership.NewLease(begin)
	l.Extend(begin.Add(10 * time.Second))

	slept := begin.Round(0).Add(time.Minute) // Without a reading of the monotonic clock.
	assert.False(t, l.Held(slept))
	assert.Negative(t, l.Remaining(slept))
	assert.False(t, l.Held(begin.Add(11*time.Second)), "by the monotonic clock")
	assert.True(t, l.Held(begin.Add(9*time.Second)))
}

func BenchmarkLeaseHeld(b *testing.B) {
	l := ownership.NewLease(time.Now())
	l.Extend(time.Now().Add(time.Hour))
	b.ReportAllocs()
	for b.Loop() {
		if !l.Held(time.Now()) {
			b.Fatal("not held")
		}
	}
}
