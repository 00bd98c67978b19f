// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// rowOf is a row of one variant, raw.
func rowOf(c *contender, size int) row {
	return row{name: "test", size: size, variants: []variant{
		{raw, func(int) (*contender, error) { return c, nil }},
	}}
}

// honest handles what it is given.
func honest(size int) *contender {
	n := 0
	return &contender{
		run:     func(times int) error { n += times * size; return nil },
		handled: func() int { return n },
		tear:    func() error { return nil },
	}
}

func TestTheWarmUpRoundDoesNotCount(t *testing.T) {
	goes := 0
	c := honest(1)
	run := c.run
	c.run = func(times int) error { goes++; return run(times) }
	res, err := tiny.measure(rowOf(c, 1))
	require.NoError(t, err)
	assert.Len(t, res.rounds, 2)
	// One to calibrate, and in each of three rounds one before the clock and the batch.
	assert.Equal(t, 1+3*2, goes)
}

func TestABatchOfARowThatSaysSoIsASingleGo(t *testing.T) {
	c := honest(1)
	run := c.run
	c.run = func(times int) error {
		assert.Equal(t, 1, times)
		return run(times)
	}
	r := rowOf(c, 1)
	r.once = true
	p := tiny
	p.batch = time.Second
	_, err := p.measure(r)
	require.NoError(t, err)
}

// A row that says so sets its variants up in each round, and never two at the same time.
func TestVariantsAreSetUpAnew(t *testing.T) {
	sets, open := 0, 0
	set := func(int) (*contender, error) {
		sets++
		open++
		assert.Equal(t, 1, open)
		c := honest(1)
		c.tear = func() error { open--; return nil }
		return c, nil
	}
	r := row{name: "test", size: 1, anew: true, variants: []variant{{raw, set}, {ours, set}}}
	res, err := tiny.measure(r)
	require.NoError(t, err)
	assert.Len(t, res.rounds, 2)
	assert.Zero(t, open)
	assert.Equal(t, 2+3*2, sets, "to calibrate, and in each of three rounds")
	r.once = true
	_, err = tiny.measure(r)
	require.NoError(t, err)
	assert.Zero(t, open)
}

func TestOnlyWhatIsTimedCounts(t *testing.T) {
	const each = 10 * time.Millisecond
	c := honest(1)
	goes := 0
	run := c.run
	c.run = func(times int) error { goes += times; return run(times) }
	c.timed = func() time.Duration { return time.Duration(goes) * each }
	res, err := tiny.measure(rowOf(c, 1))
	require.NoError(t, err)
	assert.InDelta(t, float64(each), res.summary(raw).median, 0)
	assert.InDelta(t, float64(each), res.summary(raw).max, 0)
}

func TestALostMessageAbortsTheRun(t *testing.T) {
	c := honest(3)
	handled := c.handled
	c.handled = func() int { return handled() - 1 }
	_, err := tiny.measure(rowOf(c, 3))
	require.ErrorIs(t, err, errEffect)
	require.ErrorContains(t, err, "raw: ")
	require.ErrorContains(t, err, "2 of 3 messages handled")
}

func TestAMessageHandledTwiceAbortsTheRun(t *testing.T) {
	c := honest(3)
	handled := c.handled
	c.handled = func() int { return handled() + 1 }
	_, err := tiny.measure(rowOf(c, 3))
	require.ErrorIs(t, err, errEffect)
}

func TestAMissingSpanAbortsTheRun(t *testing.T) {
	c := honest(1)
	c.traces, c.spans = newTelemetry(sampled), [2]int{1, 2}
	_, err := tiny.measure(rowOf(c, 1))
	require.ErrorIs(t, err, errEffect)
	require.ErrorContains(t, err, "0 spans")
}

func TestASpanTooManyAbortsTheRun(t *testing.T) {
	c := honest(1)
	c.traces = newTelemetry(untraced)
	c.traces.receive(c.traces.inject()).End()
	_, err := tiny.measure(rowOf(c, 1))
	require.ErrorIs(t, err, errEffect)
}

func TestAStalledBatchAbortsTheRun(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	c := honest(1)
	c.run = func(int) error { <-stop; return nil }
	p := tiny
	p.stall = time.Millisecond
	_, err := p.measure(rowOf(c, 1))
	require.ErrorIs(t, err, errEffect)
	require.ErrorContains(t, err, "not complete")
}

func TestErrorsOfAVariantAbortTheRun(t *testing.T) {
	broken := errors.New("broken")
	fail := func() error { return broken }
	for name, spoil := range map[string]func(*contender){
		"run":    func(c *contender) { c.run = func(int) error { return broken } },
		"verify": func(c *contender) { c.verify = fail },
		"tear":   func(c *contender) { c.tear = fail },
	} {
		c := honest(1)
		spoil(c)
		_, err := tiny.measure(rowOf(c, 1))
		require.ErrorIs(t, err, broken, name)
	}
	r := rowOf(nil, 1)
	r.variants[0].set = func(int) (*contender, error) { return nil, broken }
	_, err := tiny.measure(r)
	require.ErrorIs(t, err, broken)
}

func TestAnAllowanceSparesOnlyWhatIsBeyondTheLeast(t *testing.T) {
	p := tiny
	p.rounds, p.least, p.allowance = 50, 6, time.Nanosecond
	res, err := p.measure(rowOf(honest(1), 1))
	require.NoError(t, err)
	assert.Len(t, res.rounds, 6)
}

func TestScaled(t *testing.T) {
	assert.Equal(t, 30, scaled(10, 10*time.Millisecond, 30*time.Millisecond))
	assert.Equal(t, 5, scaled(10, 60*time.Millisecond, 30*time.Millisecond))
	assert.Equal(t, 1, scaled(1, time.Second, time.Millisecond))
	assert.Equal(t, 30, scaled(1, 0, 30*time.Nanosecond))
}

func TestPerOperation(t *testing.T) {
	assert.Equal(t, sample{ns: 10, allocs: 2, bytes: 100}, perOperation(100, time.Microsecond, 200, 10_000))
}

func TestAllocationsAreCounted(t *testing.T) {
	c := honest(1)
	run := c.run
	var kept [][]byte
	c.run = func(times int) error {
		for range 1000 * times {
			kept = append(kept, make([]byte, 64))
		}
		clear(kept)
		kept = kept[:0]
		return run(times)
	}
	p := tiny
	p.rounds = 6
	res, err := p.measure(rowOf(c, 1))
	require.NoError(t, err)
	s := res.summary(raw)
	assert.InDelta(t, 1000, s.allocs, 50)
	assert.InDelta(t, 64_000, s.size, 16_000)
}

// hoarder keeps blocks and makes as much garbage.
func hoarder(blocks, each int) *contender {
	var kept [][]byte
	n := 0
	return &contender{
		run: func(times int) error {
			for range times * blocks {
				kept = append(kept, make([]byte, each))
				_ = append([]byte(nil), kept[len(kept)-1]...) // Garbage.
			}
			return nil
		},
		verify:  func() error { n += len(kept); kept = nil; return nil },
		handled: func() int { return n },
		tear:    func() error { return nil },
	}
}

func TestRetainedMemoryIsWhatStays(t *testing.T) {
	const size, each = 100, 64 << 10
	r := rowOf(hoarder(size, each), size)
	r.memory = retained
	res, err := tiny.measure(r)
	require.NoError(t, err)
	assert.InEpsilon(t, each, res.summary(raw).size, 0.25)
}

func TestTakenMemoryIsGarbageToo(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	const size, each = 100, 64 << 10
	r := rowOf(hoarder(size, each), size)
	r.memory = taken
	res, err := tiny.measure(r)
	require.NoError(t, err)
	assert.InEpsilon(t, 2*each, res.summary(raw).size, 0.25)
}

func TestGrowth(t *testing.T) {
	assert.EqualValues(t, 2, growth(3, 5))
	assert.Zero(t, growth(5, 3))
}
