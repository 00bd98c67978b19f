// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package spans

import (
	"slices"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/clock"
	"github.com/waybill-go/waybill/internal/gcra"
	"github.com/waybill-go/waybill/internal/planning"
	"github.com/waybill-go/waybill/internal/spanrate"
	"github.com/waybill-go/waybill/sampling"
)

// Totals are what the spans of all kinds of one name share: how many late ones there may
// be, and how many spans there were. Make one with [NewTotals].
type Totals struct {
	stratum    *spanrate.Rate // of late spans that count
	shed, slow atomic.Uint64
	traced     atomic.Uint64
	cut        atomic.Uint64
	late       [len(LateReasons)]atomic.Uint64
	uncounted  [len(LateReasons)]gcra.Limiter // of late spans that do not count
}

// LateReasons are the reasons of late spans. No kind has another.
var LateReasons = [...]string{
	"refused_full", "refused_stopped", "refused_cancelled",
	"dead_letter_killed", "dead_letter_failed", "dead_letter_dropped", "dead_letter_expired",
	lateReply, lateError, latePanic, lateSlow, lateWaiting,
}

// NewTotals returns the Totals of kinds that have not made any span.
func NewTotals() *Totals { return &Totals{stratum: spanrate.New(time.Second)} }

// Shed returns how many late spans were beyond the bound.
func (t *Totals) Shed() uint64 { return t.shed.Load() }

// Slow returns how many handlings took as long as the settings call slow.
func (t *Totals) Slow() uint64 { return t.slow.Load() }

// Counts are how many spans the kinds of one name have made.
type Counts struct {
	Traced uint64 // sampled spans of handlings, but for late ones
	Cut    uint64 // of those, the ones that began a new trace, because the old one was too long
	Late   [len(LateReasons)]uint64
}

// Counts returns how many spans there were.
func (t *Totals) Counts() Counts {
	c := Counts{Traced: t.traced.Load(), Cut: t.cut.Load()}
	for i := range t.late {
		c.Late[i] = t.late[i].Load()
	}
	return c
}

// countTraced counts the span of a handling, which may be nil.
func (t *Totals) countTraced(span trace.Span, cut bool) {
	if span == nil || !span.SpanContext().IsSampled() {
		return
	}
	t.traced.Add(1)
	if cut {
		t.cut.Add(1)
	}
}

// countLate counts a late span, which may be nil.
func (t *Totals) countLate(reason string, span trace.Span) {
	if span == nil || !span.SpanContext().IsSampled() {
		return
	}
	if i := slices.Index(LateReasons[:], reason); i >= 0 {
		t.late[i].Add(1)
	}
}

// allow reports whether there may be one more late span for that reason that does not count.
// Each reason has a limit of its own: where all is slow, a panic must still be seen.
func (t *Totals) allow(reason string, l *sampling.Late) bool {
	i := slices.Index(LateReasons[:], reason)
	return i >= 0 && t.uncounted[i].Allow(clock.Now(), planning.LatePerSecond(l))
}
