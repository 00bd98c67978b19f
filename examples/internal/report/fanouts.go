// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
)

// Fanouts sums up what sampling did in some traces.
type Fanouts struct {
	Broadcasts int
	Recipients int64 // of all broadcasts
	Traced     int64 // recipients that kept the trace
	Spans      int64 // recorded in all
}

// FanoutsOf reads them from the broadcasts' own spans, which know exactly.
func FanoutsOf(traces []Trace) Fanouts {
	var f Fanouts
	for _, t := range traces {
		f.Spans += int64(len(t.Spans))
		for _, s := range t.Spans {
			traced, ok := s.Attributes[string(mailbox.FanoutSampledKey)].(int64)
			if !ok {
				continue
			}
			size, _ := s.Attributes[string(sampling.SizeKey)].(int64)
			f.Broadcasts++
			f.Recipients += size
			f.Traced += traced
		}
	}
	return f
}

// Naive returns how many spans there would have been with one for every
// recipient.
func (f Fanouts) Naive() int64 { return f.Spans - f.Traced + f.Recipients }

// String says it in two lines.
func (f Fanouts) String() string {
	if f.Broadcasts == 0 {
		return "sampling: no traced broadcast, no spans for recipients"
	}
	share := 100 * float64(f.Traced) / float64(f.Recipients)
	return fmt.Sprintf("sampling: %d traced broadcasts to %d recipients, of which %d (%.2g %%) kept the trace\n"+
		"          %d spans recorded; naive tracing would have made %d, %.1f times as many",
		f.Broadcasts, f.Recipients, f.Traced, share, f.Spans, f.Naive(), float64(f.Naive())/float64(f.Spans))
}
