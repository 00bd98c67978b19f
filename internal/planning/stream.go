// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package planning

import (
	"math"
	"math/rand/v2"

	"github.com/waybill-go/waybill/internal/fanout"
)

// Stream chooses from recipients that come one after the other, nobody knows how
// many: each is chosen with the same probability, whatever becomes of the others
// (Bernoulli sampling).
//
// Instead of a coin for each it draws, for each chosen one, how many to skip until
// the next, which is geometrically distributed (Fan, Muller and Rezucha, 1962;
// Devroye, "Non-Uniform Random Variate Generation", 1986, X.2; Vitter, 1984, for
// skips as such). Those skipped cost one addition and one comparison.
//
// Where the number of recipients is known, [Planner.Plan] is better: its estimates
// have less noise, since it does not leave to chance how many are chosen.
//
// The zero Stream chooses nobody. A Stream is for one goroutine at a time.
type Stream struct {
	seen, next  int // recipients asked about, and the number of the next chosen one
	probability float64
	perSkip     float64 // 1 / ln(1 - probability)
	random      *rand.Rand
}

// NewStream makes a stream that chooses each recipient with that probability; all
// if it is 1 or more, and nobody if it is not above 0. Random numbers come from
// random, or from the runtime's generator if random is nil: one for each chosen
// recipient, and one more.
func NewStream(probability float64, random *rand.Rand) *Stream {
	s := &Stream{random: random}
	if probability > 0 {
		s.probability = min(probability, 1)
		s.perSkip = 1 / math.Log1p(-s.probability)
		s.skip()
	}
	return s
}

// Next reports whether the next recipient is chosen.
func (s *Stream) Next() bool {
	s.seen++
	if s.seen != s.next {
		return false
	}
	s.skip()
	return true
}

// skip draws how many are not chosen before the next that is.
func (s *Stream) skip() {
	uniform := rand.Float64
	if s.random != nil {
		uniform = s.random.Float64
	}
	skipped := math.Log(1-uniform()) * s.perSkip // 1 - uniform is in (0, 1].
	if !(skipped < math.MaxInt/2) {              // Also true for NaN.
		s.next = 0 // Further than anybody counts.
		return
	}
	s.next = s.seen + 1 + int(skipped)
}

// Seen returns how many recipients the stream was asked about.
func (s *Stream) Seen() int { return s.seen }

// Weight returns how many recipients each chosen one stands for: one divided by
// the probability, 0 if nobody is chosen. The weights of the chosen sum to the
// number of recipients on average.
func (s *Stream) Weight() float64 {
	if s.probability == 0 {
		return 0
	}
	return 1 / s.probability
}

// Recipient returns what the recipient that s has just chosen stands for if the
// message that fans out stands for above. Its Size is the number of recipients
// until now, as nobody knows more. A budget does not bound a stream.
func (s *Stream) Recipient(above fanout.Fanout) fanout.Fanout {
	if s.probability == 0 || s.seen == 0 {
		return above
	}
	return above.Below(1/s.probability, min(s.seen, fanout.MaxSize))
}
