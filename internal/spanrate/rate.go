// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package spanrate keeps fan-outs to a number of spans per second.
package spanrate

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/waybill-go/waybill/internal/gcra"
)

const (
	defaultWindow = 10 * time.Second
	capBurst      = int64(time.Second)
)

// Rate keeps fan-outs to a number of spans per second. It knows the load of the
// past: how many recipients fan-outs would have chosen, an average over a window
// that fades out exponentially. Where that is above the target, the next fan-out's
// k̄ is scaled down in proportion, before it chooses. So the choice stays random
// and its weights exact: nothing is dropped afterwards.
//
// In any stretch of time fan-outs are planned to choose no more on average than
// the target for as long as that stretch and 1 + ln(m) windows, where m is how
// many times its target the load is at most, at least 1. For a load X in units of
// the target's, that is because a fan-out that raises it to X is given as much as
// the potential X below 1, 1 + ln X above, rises at most, and the potential falls
// by no more than the target (in windows, by 1). Where the load is steady they
// come to the target, and to less where fan-outs are so rare that the load is
// forgotten between them: one alone chooses at most a window's worth.
//
// The zero Rate has a window of 10 seconds. It may be used by any number of
// goroutines, and has no lock. It must not be copied. A nil Rate limits nothing.
//
// Times are passed in, as durations since any moment, the same for all calls;
// they should be monotonic.
type Rate struct {
	window time.Duration
	// load is the time at which the load will have faded to one recipient, in
	// nanoseconds: one number holds load and time, so that one atomic operation
	// changes both. Zero means no load yet.
	load atomic.Int64
	cap  gcra.Limiter

	shedFanouts, shedSpans atomic.Uint64
}

// New makes a rate that averages over window; zero or less means 10 seconds.
// A shorter window follows a changing load faster, a longer one gives fan-outs of
// a steady load more equal weights, and so estimates with less noise.
func New(window time.Duration) *Rate { return &Rate{window: window} }

// Factor adds a fan-out that expects to choose that many recipients to the load,
// and returns by what to multiply that number so that the load comes to target
// recipients per second: 1 if it is below, or if there is no target, because
// target is not above 0.
func (r *Rate) Factor(target, expected float64, now time.Duration) float64 {
	if r == nil || !(target > 0) || !(expected > 0) {
		return 1
	}
	window := float64(defaultWindow)
	if r.window > 0 {
		window = float64(r.window)
	}
	for {
		before := r.load.Load()
		load := expected
		if before != 0 {
			load += faded(float64(before-int64(now)) / window)
		}
		after := int64(now) + int64(math.Round(window*math.Log(load)))
		if after == 0 {
			after = 1
		}
		if r.load.CompareAndSwap(before, after) {
			return min(1, target*window/float64(time.Second)/load)
		}
	}
}

// faded is the load that will be one recipient in that many windows.
func faded(windows float64) float64 {
	const absurd = 60 // a load of 10²⁶: the clock went back
	if windows > absurd {
		return 0
	}
	return math.Exp(windows)
}

// Admit counts spans against the cap of so many per second, and reports whether they
// are within it: that is decided by what was admitted before, not by what is asked for
// now. Else fan-outs that want none would be admitted, and those that want one shed, and
// an estimate from those admitted would be too low. There is no cap if perSecond is not
// above 0.
func (r *Rate) Admit(perSecond, spans float64, now time.Duration) bool {
	if r == nil || !(perSecond > 0) {
		return true
	}
	if r.cap.Admit(int64(now), timeOf(perSecond, spans), capBurst) {
		return true
	}
	r.shedFanouts.Add(1)
	r.shedSpans.Add(uint64(math.Round(max(spans, 0))))
	return false
}

// Refund takes back what was admitted and not sampled after all.
func (r *Rate) Refund(perSecond, spans float64) {
	if r != nil && perSecond > 0 {
		r.cap.Refund(timeOf(perSecond, spans))
	}
}

// timeOf is how long so many spans take at that rate, in nanoseconds.
func timeOf(perSecond, spans float64) int64 {
	return int64(min(spans*float64(time.Second)/perSecond, math.MaxInt64/8))
}

// Shed returns how many fan-outs the last resort has left without a choice, and
// how many recipients those would have chosen.
func (r *Rate) Shed() (fanouts, spans uint64) {
	if r == nil {
		return 0, 0
	}
	return r.shedFanouts.Load(), r.shedSpans.Load()
}
