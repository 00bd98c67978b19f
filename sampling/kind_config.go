// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// ErrSettings means that settings make no sense. Test with [errors.Is].
var ErrSettings = errors.New("sampling: invalid settings")

// KindConfig say how one kind of processes is traced. They are a value; the zero
// value switches everything off, [DefaultKindConfig] are what holds without any.
type KindConfig struct {
	// Carry has messages to processes of the kind take their sender's trace along.
	// Without it they take the baggage and nothing else.
	Carry bool `json:"carry"`
	// Spans has the handling of a traced message be a span. Without it the trace
	// is handed on and the handlings are not in it, but for those that Late says.
	Spans bool `json:"spans"`
	// SpansPerSecond is how many processes of the kind fan-outs choose per second,
	// on average, all groups together, where they would choose more; like that of
	// [GroupConfig], which holds for one group. It holds back no other kind of the same
	// group. A fan-out to relays counts for their kind with all that it plans to choose
	// in the end, and for the kind of those that the relays choose once more. Zero
	// means any number.
	SpansPerSecond float64 `json:"spans_per_second,omitempty"`
	// MaxSpansPerSecond is the last resort, like that of [GroupConfig]: while more
	// processes of the kind are chosen per second, fan-outs to them choose nobody,
	// of other kinds neither: an estimate takes a fan-out whole or not at all. So it
	// should be well above SpansPerSecond. Zero means no cap.
	MaxSpansPerSecond float64 `json:"max_spans_per_second,omitempty"`
	// Late says which messages without a span of their own get one after all.
	Late Late `json:"late"`
}

// DefaultKindConfig returns the settings of a kind that has no others: messages
// carry traces, handlings are spans, and late ones are not made but for sampled
// messages that were refused or never handled.
func DefaultKindConfig() KindConfig { return KindConfig{Carry: true, Spans: true} }

// Late says which messages get a span when all is over, although nobody decided
// to trace them: those that a fan-out skipped, in the trace of that fan-out; those
// of a kind without Spans, in the trace that they carry; and, if Roots says so,
// those whose trace is not sampled, in one of their own. Such a
// span has weight 0: it is uncounted, and in no estimate. The zero value
// makes none.
type Late struct {
	// Failures: messages that were refused, never handled, or whose handler
	// returned an error or panicked.
	Failures bool
	// SlowerThan: those whose handling took at least that long. Zero means none.
	SlowerThan time.Duration
	// QueuedLongerThan: those that waited at least that long in the mailbox. Zero means none.
	QueuedLongerThan time.Duration
	// Roots has messages of traces that are not sampled leave a late span too, the
	// root of a trace of its own. It needs the sampler of package sampler; others
	// sample such a root as they would any other.
	Roots bool
	// CountSlow counts slow handlings: their spans have the weight of the fan-outs
	// above the last, whether the choice fell on them or not, instead of what the
	// choice would give them. So estimates stay right, and say exactly how many
	// were slow.
	//
	// Where there are more per second than PerSecond, each counts with a
	// probability that keeps them to that, whether it has a span already or not, and
	// with as much more weight: estimates stay right and are no longer exact.
	CountSlow bool
	// PerSecond bounds how many late spans a kind makes; those of a stratum have
	// the same bound once more, for themselves, and on average. Zero means 10;
	// negative means no bound. Exemplars beyond it are counted and not made.
	PerSecond float64
}

const defaultLatePerSecond = 10

// Any reports whether l makes any late spans of messages that were handled.
func (l Late) Any() bool { return l.Failures || l.SlowerThan > 0 || l.QueuedLongerThan > 0 }

// Rate returns the bound that PerSecond means, +Inf if there is none.
func (l Late) Rate() float64 {
	switch {
	case l.PerSecond == 0:
		return defaultLatePerSecond
	case l.PerSecond < 0:
		return math.Inf(1)
	default:
		return l.PerSecond
	}
}

func (s KindConfig) validate() error {
	if err := validateRates(s.SpansPerSecond, s.MaxSpansPerSecond); err != nil {
		return err
	}
	switch l := s.Late; {
	case l.SlowerThan < 0:
		return fmt.Errorf("%w: slower_than %v is negative", ErrSettings, l.SlowerThan)
	case l.QueuedLongerThan < 0:
		return fmt.Errorf("%w: queued_longer_than %v is negative", ErrSettings, l.QueuedLongerThan)
	case math.IsNaN(l.PerSecond) || math.IsInf(l.PerSecond, 0):
		return fmt.Errorf("%w: %v late spans per second", ErrSettings, l.PerSecond)
	case l.CountSlow && l.SlowerThan == 0:
		return fmt.Errorf("%w: count_slow without slower_than: none is slow", ErrSettings)
	}
	return nil
}
