// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package scheduler

import (
	"math"
	"math/rand/v2"
)

// Chance chooses one in n at random, each time independently. Only one goroutine may use
// it. The zero Chance is ready, and a nil one chooses too, but takes longer.
//
// It draws a random number only when it has chosen. Think of events on a line, with gaps of
// the exponential distribution. Each choice goes on by a step, and is positive if there is
// an event in the step. With a step of -ln(1-1/n), that has the probability 1/n. The rest of a
// gap has the distribution of a whole one, so n may be another one each time.
type Chance struct {
	gap  float64 // until the next event
	step float64
	n    uint32 // of step
}

// OneIn reports true once in n times, on average. n must not be 0.
func (c *Chance) OneIn(n uint32) bool {
	if c == nil {
		return rand.Uint32N(n) == 0
	}
	if n != c.n {
		c.use(n)
	}
	if c.gap -= c.step; c.gap > 0 {
		return false
	}
	c.gap = rand.ExpFloat64()
	return true
}

func (c *Chance) use(n uint32) {
	if c.n == 0 {
		c.gap = rand.ExpFloat64()
	}
	c.n, c.step = n, -math.Log1p(-1/float64(n))
}
