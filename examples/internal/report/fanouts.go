// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Fanouts adds up what sampling did in some traces.
type Fanouts struct {
	Broadcasts int
	Recipients int64 // of all broadcasts
	Traced     int64 // recipients that were sampled
	Spans      int64 // recorded in all
}

// Add adds a span. The span of a broadcast has the exact numbers.
func (f *Fanouts) Add(span sdktrace.ReadOnlySpan) {
	f.Spans++
	size, traced, found := int64(0), int64(0), false
	for _, kv := range span.Attributes() {
		switch kv.Key {
		case fanoutSampled:
			traced, found = kv.Value.AsInt64(), true
		case fanoutSize:
			size = kv.Value.AsInt64()
		}
	}
	if found {
		f.Broadcasts++
		f.Recipients += size
		f.Traced += traced
	}
}

// Naive returns how many spans there would have been with one for every
// recipient.
func (f Fanouts) Naive() int64 { return f.Spans - f.Traced + f.Recipients }

// String returns the sums as two lines of text.
func (f Fanouts) String() string {
	if f.Broadcasts == 0 {
		return "sampling: no traced broadcast, no spans for recipients"
	}
	share := 100 * float64(f.Traced) / float64(f.Recipients)
	return fmt.Sprintf("sampling: %d traced broadcasts to %d recipients, of which %d (%.2g %%) were sampled\n"+
		"          %d spans recorded; naive tracing would have made %d, %.1f times as many",
		f.Broadcasts, f.Recipients, f.Traced, share, f.Spans, f.Naive(), float64(f.Naive())/float64(f.Spans))
}
