// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package planning

import "github.com/waybill-go/waybill/internal/fanout"

// Plan is the choice made for one fan-out.
type Plan struct {
	// Size is the number of recipients, N.
	Size int
	// Expected is the mean number of recipients that plans like this sample, k̄.
	Expected float64
	// Sampled holds the positions of the k recipients that are sampled, ascending,
	// each in [0, Size). It belongs to the caller.
	Sampled []int
	// Shed reports that the rate's last resort left nobody sampled. Estimates must
	// leave such a fan-out out: mark its span with waybill.fanout.shed.
	Shed bool

	above   fanout.Fanout
	mean    float64   // by what Size is divided to give the weight
	factors []float64 // of Sampled: what share of such recipients was left; nil if all are 1
}

// Recipient returns what the recipient at Sampled[i] stands for. At this fan-out alone
// that is N/k where k̄ is at least 1, so that the weights of those sampled sum to N in
// every single fan-out. Where k̄ is below 1 there often is none, and only N/k̄ is
// unbiased: then the sum is N on average.
//
// Where k comes from a budget that was shared out further up ([fanout.Fanout.Budget])
// it is N/E(k), so that the weights below all relays sum to what was announced. For a
// recipient that a [Limit] is about it is more the more the limit has held back, and
// the sum is N on average.
func (p *Plan) Recipient(i int) fanout.Fanout {
	weight := p.weight()
	if p.factors != nil {
		weight /= p.factors[i]
	}
	return p.above.Below(weight, p.Size)
}

// weight is how many recipients one stands for that no limit is about.
func (p *Plan) weight() float64 { return float64(p.Size) / p.mean }
