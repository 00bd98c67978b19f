// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling

import (
	"errors"
	"fmt"
	"time"
)

// ErrConfig means that settings make no sense. Test with [errors.Is].
var ErrConfig = errors.New("sampling: invalid settings")

// KindConfig says how one kind of processes is traced. The zero value is the default:
// messages carry traces, and handlings are spans. By default there is one sort of late
// span: that of a sampled message that was refused or never handled.
type KindConfig struct {
	// Untraced keeps the sender's trace out of messages to processes of the kind. They
	// still carry its baggage.
	Untraced bool `json:"untraced"`
	// NoSpans makes no span for the handling of a traced message, unless Late makes one.
	// The trace is passed on all the same.
	NoSpans bool `json:"no_spans"`
	// SpansPerSecond is how many processes of the kind fan-outs sample per second, on
	// average and all groups together, where they would sample more. By default there is no
	// limit. It differs from the field of [GroupConfig], which holds for one group: it
	// leaves other kinds in the same group alone.
	//
	// A fan-out to relays counts all the final recipients that it plans to sample, for the
	// kind of the relays. Each relay's own fan-out counts them once more, for the kind of
	// its recipients.
	SpansPerSecond float64 `json:"spans_per_second,omitempty"`
	// MaxSpansPerSecond is the last resort, as in [GroupConfig]. While more processes of
	// the kind are sampled per second, a fan-out to any of them samples nobody, of other
	// kinds neither, because an estimate takes a fan-out whole or not at all. So it should
	// be well above SpansPerSecond. By default there is no limit.
	MaxSpansPerSecond float64 `json:"max_spans_per_second,omitempty"`
	// TimeOneIn says which handlings are timed, for package timings and for the histograms
	// of durations (mailbox.WithMeterProvider): 1 times all of them, a larger number one in
	// so many, chosen at random. Counts and times are then estimates, and unbiased. That is
	// for kinds with very many light messages. By default nothing is timed.
	TimeOneIn int `json:"time_one_in,omitempty"`
	// Late says which messages that have no span get a late one.
	Late Late `json:"late"`
}

// Late says which messages get a late span: a span that is made after the handling,
// although the message was not to have one. The messages are those that a fan-out skipped,
// whose late span is in the fan-out's trace; those of a kind with NoSpans, whose late span
// is in the trace that they carry; and, with Roots, those of unsampled traces.
//
// A late span has weight 0, unless CountSlow gives it one: it is uncounted, and in no
// estimate. The zero value makes no late spans.
type Late struct {
	// Failures makes one for messages that were refused or never handled, and for those
	// whose handler returned an error or panicked.
	Failures bool
	// SlowerThan makes one for messages whose handling took at least that long. By default
	// it makes none.
	SlowerThan time.Duration
	// QueuedLongerThan makes one for messages that waited at least that long in the
	// mailbox. By default it makes none.
	QueuedLongerThan time.Duration
	// Roots lets messages of unsampled traces leave a late span too, as the root of a new
	// trace. This needs the sampler of package sampler; others sample such a root as they
	// would any other.
	Roots bool
	// CountSlow counts slow handlings one by one. The span of a slow handling gets the
	// weight that its message had before the last fan-out, whether that fan-out sampled it
	// or not. So estimates stay unbiased, and say exactly how many handlings were slow.
	//
	// Where there are more of them per second than PerSecond, a random part is counted,
	// with as much more weight. Estimates are still unbiased then, but no longer exact.
	CountSlow bool
	// PerSecond limits how many late spans a kind makes for each reason, so that a panic is
	// seen even where all is slow. The default is 10. The spans of CountSlow have a limit of
	// the same size for themselves, which holds on average. Uncounted spans beyond the limit
	// are not made; a metric tells how many.
	PerSecond float64
}

// maxTimeOneIn is more than anybody needs, and what a weight may be.
const maxTimeOneIn = 1_000_000_000

func (s KindConfig) validate() error {
	if err := validateRates(s.SpansPerSecond, s.MaxSpansPerSecond); err != nil {
		return err
	}
	if s.TimeOneIn < 0 || s.TimeOneIn > maxTimeOneIn {
		return fmt.Errorf("%w: time_one_in %d is not between 0 and %d", ErrConfig, s.TimeOneIn, maxTimeOneIn)
	}
	switch l := s.Late; {
	case l.SlowerThan < 0:
		return fmt.Errorf("%w: slower_than %v is negative", ErrConfig, l.SlowerThan)
	case l.QueuedLongerThan < 0:
		return fmt.Errorf("%w: queued_longer_than %v is negative", ErrConfig, l.QueuedLongerThan)
	case l.CountSlow && l.SlowerThan == 0:
		return fmt.Errorf("%w: count_slow without slower_than: none is slow", ErrConfig)
	}
	return validateLimit("per_second of late spans", s.Late.PerSecond)
}
