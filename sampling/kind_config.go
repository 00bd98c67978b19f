// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling

import (
	"errors"
	"fmt"
	"time"
)

// ErrSettings means that settings make no sense. Test with [errors.Is].
var ErrSettings = errors.New("sampling: invalid settings")

// KindConfig says how one kind of processes is traced. The zero value is the default:
// messages carry traces, handlings are spans, and there are no late spans but for sampled
// messages that were refused or never handled.
type KindConfig struct {
	// Untraced has messages to processes of the kind leave their sender's trace behind.
	// They take its baggage along, and nothing else.
	Untraced bool `json:"untraced"`
	// NoSpans has the handling of a traced message be no span: the trace is handed on
	// and the handlings are not in it, but for those that Late says.
	NoSpans bool `json:"no_spans"`
	// SpansPerSecond is how many processes of the kind fan-outs sample per second, on
	// average, all groups together, where they would sample more; that of
	// [GroupConfig] holds for one group. It holds back no other kind of the same
	// group. A fan-out to relays counts for their kind with all that it plans to sample
	// in the end, and for the kind of those that the relays sample once more. By
	// default there is no limit.
	SpansPerSecond float64 `json:"spans_per_second,omitempty"`
	// MaxSpansPerSecond is the last resort, like that of [GroupConfig]: while more
	// processes of the kind are sampled per second, fan-outs to them sample nobody, of
	// other kinds neither: an estimate takes a fan-out whole or not at all. So it
	// should be well above SpansPerSecond. By default there is no limit.
	MaxSpansPerSecond float64 `json:"max_spans_per_second,omitempty"`
	// Late says which messages without a span of their own get one after all.
	Late Late `json:"late"`
}

// Late says which messages get a span when all is over, although nobody decided
// to trace them: those that a fan-out skipped, in the trace of that fan-out; those
// of a kind with NoSpans, in the trace that they carry; and, if Roots says so,
// those whose trace is not sampled, in one of their own. Such a
// span has weight 0: it is uncounted, and in no estimate. The zero value
// makes none.
type Late struct {
	// Failures: messages that were refused, never handled, or whose handler
	// returned an error or panicked.
	Failures bool
	// SlowerThan: those whose handling took at least that long. By default there are
	// none.
	SlowerThan time.Duration
	// QueuedLongerThan: those that waited at least that long in the mailbox. By
	// default there are none.
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
	// PerSecond limits how many late spans a kind makes; those that count have the
	// same limit once more, for themselves, and on average. The default is 10.
	// Uncounted ones beyond it are not made, which metrics tell.
	PerSecond float64
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
	case l.CountSlow && l.SlowerThan == 0:
		return fmt.Errorf("%w: count_slow without slower_than: none is slow", ErrSettings)
	}
	return validateLimit("per_second of late spans", s.Late.PerSecond)
}
