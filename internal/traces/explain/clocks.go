// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package explain

import "go.opentelemetry.io/otel/trace"

// correct moves the times of span c to the clock of its parent p, if they show that the clocks of
// the two differ. What is below c on its machine moves with it.
//
// That is certain where a span starts before the one above it. Where a server is over after its
// client, it may have gone on after the answer, so that says something only if both are known to be
// on different machines. A server may even begin after its client, if that has failed.
func (t *forest) correct(p, c int) {
	above, f := &t.spans[p], &t.spans[c]
	same, known := above.from.sameHost(f.from)
	if same || above.from == f.from {
		f.shift(above.skew)
		return
	}
	took, room := f.end-f.start, above.end-above.start
	awaited := above.answered() && f.span.SpanKind() == trace.SpanKindServer
	within := f.start >= above.start && f.end <= above.end
	switch {
	case awaited && !within && took <= room && (f.start < above.start || f.start > above.end && !above.failed || known):
		f.shift(above.start + (room-took)/2 - f.start) // The way there is taken for as long as the way back.
	case f.start < above.start:
		f.shift(above.start - f.start)
	}
}

// shift adds by to the times of f, unless that leads beyond all times that make sense.
func (f *facts) shift(by int64) {
	if start, end := f.start+by, f.end+by; start >= -2*latest && end <= 2*latest {
		f.start, f.end, f.skew = start, end, f.skew+by
	}
}
