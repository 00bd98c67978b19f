// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package planning

import (
	"math"

	"github.com/waybill-go/waybill/internal/fanout"
)

// Stream samples recipients that come one after the other, nobody knows how many: each
// with the same probability, whatever becomes of the others (Bernoulli sampling).
//
// Instead of a coin for each it draws, for each sampled one, how many to skip until the
// next, which is geometrically distributed (Fan, Muller and Rezucha, 1962; Devroye,
// "Non-Uniform Random Variate Generation", 1986, X.2; Vitter, 1984, for skips as such).
//
// Where the number of recipients is known, [Planner.Plan] is better: its estimates have
// less noise, since it does not leave to chance how many are sampled.
//
// A Stream is for one goroutine at a time.
type Stream struct {
	// Shed reports that the rate's last resort left nobody sampled, as in [Plan].
	Shed bool

	position    int // of the next sampled one
	probability float64
	perSkip     float64 // 1 / ln(1 - probability)
	above       fanout.Fanout
	draw        source
}

// Never is the position of no recipient.
const Never = math.MaxInt

// Stream plans a fan-out to recipients whose number nobody knows. It samples each with the
// probability that a fan-out to about so many would have, with the rates, caps and budget
// that hold for that. The number has an effect on how many are sampled, and none on the
// weights, which are exact whatever the real number is. Of Limits, the first counts, and
// all recipients are about it. It draws one random number, and one more for each sampled
// recipient.
func (pl Planner) Stream(about int) *Stream {
	draw := pl.source()
	about = max(about, 1)
	pl.LimitOf = nil
	b := pl.budget(about, draw)
	expected := b.expected * pl.left(pl.factors(b))
	if !pl.admit(func(int) float64 { return expected }) {
		return &Stream{Shed: true, position: Never}
	}
	return newStream(expected/float64(about), pl.Above, draw)
}

// newStream makes a stream that samples each recipient with that probability; all if it
// is 1 or more, and nobody if it is not above 0.
func newStream(probability float64, above fanout.Fanout, draw source) *Stream {
	s := &Stream{position: Never, above: above, draw: draw}
	if probability > 0 {
		s.probability = min(probability, 1)
		s.perSkip = 1 / math.Log1p(-s.probability)
		s.skip(0)
	}
	return s
}

// Again returns another stream with the same probability that begins at its first
// recipient.
func (s *Stream) Again() *Stream {
	if s.Shed {
		return s
	}
	return newStream(s.probability, s.above, s.draw)
}

// Position returns the position of the next sampled recipient, counted from 0. It is
// [Never] if there is none that anybody will count to.
func (s *Stream) Position() int { return s.position }

// Advance goes on to the sampled recipient after that at Position.
func (s *Stream) Advance() {
	if s.position != Never {
		s.skip(s.position + 1)
	}
}

// skip draws how many from position on are not sampled before the next that is.
func (s *Stream) skip(from int) {
	skipped := math.Log(1-s.draw.float64()) * s.perSkip // 1 - a uniform number is in (0, 1].
	if !(skipped < math.MaxInt/2) {                     // Also true for NaN.
		s.position = Never // Further than anybody counts.
		return
	}
	s.position = from + int(skipped)
}

// Recipient returns what the recipient at Position stands for: one divided by the
// probability. The weights of the sampled sum to the number of recipients on average. Its
// Size is the number of recipients until now, as nobody knows more.
func (s *Stream) Recipient() fanout.Fanout {
	if s.probability == 0 || s.position == Never {
		return s.above
	}
	return s.above.Below(1/s.probability, min(s.position+1, fanout.MaxSize))
}
