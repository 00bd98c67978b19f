// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package planning

import (
	"math"

	"github.com/waybill-go/waybill/internal/fanout"
)

// Stream samples recipients that come one after the other, nobody knows how many: each or
// not, whatever becomes of the others (Bernoulli sampling).
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

	planner     Planner
	draw        source
	position    int // of the next sampled one; until if that is further away
	stage       int // so many recipients are planned together,
	until       int // and here they end
	probability float64
	perSkip     float64 // 1 / ln(1 - probability)
}

// Never is the position of no recipient.
const Never = math.MaxInt

// Stream plans a fan-out to recipients whose number nobody knows. It samples each with the
// probability that a fan-out to about so many would have, with the rates, caps and budget
// that hold for that. Those beyond that number are planned like another fan-out to as many
// again, and so on: the number says nothing of them, and must not let them all be sampled if
// it is far too low. So the number has an effect on how many are sampled, and none on the
// weights, which are exact whatever the real number is. Of Limits, the first counts, and
// all recipients are about it. The last resort of a rate looks only at the first so many,
// because it may not leave out some recipients of a fan-out.
func (pl Planner) Stream(about int) *Stream {
	pl.LimitOf = nil
	s := &Stream{planner: pl, draw: pl.source(), stage: max(about, 1)}
	s.until = s.stage
	expected := s.plan()
	if !pl.admit(func(int) float64 { return expected }) {
		s.Shed, s.position = true, Never
		return s
	}
	s.skip(0)
	return s
}

// plan sets the probability for a stage, and returns how many are sampled of it on average.
func (s *Stream) plan() (expected float64) {
	b := s.planner.budget(s.stage, s.draw)
	expected = b.expected * s.planner.left(s.planner.factors(b))
	s.set(expected / float64(s.stage))
	return expected
}

// set has each recipient sampled with that probability; all if it is 1 or more, and nobody
// if it is not above 0.
func (s *Stream) set(probability float64) {
	s.probability, s.perSkip = 0, math.Inf(-1)
	if probability > 0 {
		s.probability = min(probability, 1)
		s.perSkip = 1 / math.Log1p(-s.probability)
	}
}

// Again returns another stream with the same probability that begins at its first
// recipient.
func (s *Stream) Again() *Stream {
	again := *s
	if again.until = s.stage; !s.Shed {
		again.skip(0)
	}
	return &again
}

// Position returns the position of the next recipient that may be sampled, counted from 0.
// It is [Never] if there is none that anybody will count to.
func (s *Stream) Position() int { return s.position }

// Reach says that there is a recipient at Position, and reports whether it is sampled. If
// not, there is another Position.
func (s *Stream) Reach() bool {
	at := s.position
	if at == s.until && at != Never {
		s.stage = at
		if s.until = Never; at < fanout.MaxSize/2 {
			s.until = 2 * at
		}
		s.plan()
		s.skip(at)
	}
	return s.position == at
}

// Advance goes on to the sampled recipient after that at Position.
func (s *Stream) Advance() {
	if s.position != Never {
		s.skip(s.position + 1)
	}
}

// skip draws how many from position on are not sampled before the next that is.
func (s *Stream) skip(from int) {
	skipped := math.Log(1-s.draw.float64()) * s.perSkip         // 1 - a uniform number is in (0, 1].
	if !(skipped < min(float64(s.until-from), math.MaxInt/2)) { // Also true for NaN.
		s.position = s.until
		return
	}
	s.position = from + int(skipped)
}

// Recipient returns what the recipient at Position stands for: one divided by the
// probability. The weights of the sampled sum to the number of recipients on average. Its
// Size is the number of recipients until now, as nobody knows more.
func (s *Stream) Recipient() fanout.Fanout {
	above := s.planner.Above
	if s.probability == 0 || s.position == Never {
		return above
	}
	return above.Below(1/s.probability, min(s.position+1, fanout.MaxSize))
}
