// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package planning

import (
	"math/rand/v2"

	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/sampling"
)

// Expected is how many of n recipients plans by c sample on average.
func Expected(c sampling.GroupConfig, n int) float64 { return expected(&c, n) }

// Weight returns how many recipients one of p stands for that no limit is about, also
// where none was sampled: 0 for a plan that was shed, or of no recipients.
func (p Plan) Weight() float64 {
	if p.Shed || !(p.mean > 0) {
		return 0
	}
	return p.weight()
}

// Below is what Recipient would return if a plan with that above had sampled one, and
// above itself if it can sample none.
func (p Plan) Below(above fanout.Fanout) fanout.Fanout {
	if p.Weight() == 0 {
		return above
	}
	return above.Below(p.Weight(), p.Size)
}

// NewStream returns a stream that samples each with that probability.
func NewStream(probability float64, random *rand.Rand, above fanout.Fanout) *Stream {
	pl := Planner{Random: random, Above: above}
	s := &Stream{planner: pl, draw: pl.source(), until: Never}
	s.set(probability)
	s.skip(0)
	return s
}
