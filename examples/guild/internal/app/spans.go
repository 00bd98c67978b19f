// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"iter"

	"github.com/waybill-go/waybill/examples/internal/record"
	"github.com/waybill-go/waybill/examples/internal/report"
	"github.com/waybill-go/waybill/internal/traces"
)

// What is kept of the spans, in 16 MiB altogether, and in 20 MiB with a report. Without a
// bound, those who post would decide how much memory we take. A report has room for about
// 25,000 spans, which is more than a run of 1,000 posts makes.
const (
	consoleBytes           = 12 << 20
	consoleBytesWithReport = 4 << 20
	runBytes               = 4 << 20
)

var keptForReport = traces.Config{Bytes: 16 << 20, Spans: 5000}

// reported makes the traces that are kept ready for the report, one after another, the
// oldest first.
func reported(recorder *record.Recorder) iter.Seq[report.Trace] {
	return func(yield func(report.Trace) bool) {
		for _, summary := range recorder.All() {
			t := recorder.Trace(summary.ID) // Without spans if it was forgotten since.
			if len(t.Spans) > 0 && !yield(report.NewTrace(t.ID, t.Spans)) {
				return
			}
		}
	}
}
