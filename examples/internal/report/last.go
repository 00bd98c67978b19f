// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"io"

	"github.com/waybill-go/waybill/examples/internal/record"
)

// WriteLast writes the waterfall of the last trace that is kept, and what sampling did in all
// of them.
func WriteLast(w io.Writer, recorder *record.Recorder) error {
	var sums Fanouts
	traces := recorder.Traces()
	for i, id := range traces {
		spans := recorder.Trace(id)
		for _, span := range spans {
			sums.Add(span)
		}
		if i == len(traces)-1 {
			if err := NewTrace(id, spans).Waterfall(w); err != nil {
				return err
			}
		}
	}
	_, err := fmt.Fprintf(w, "\n%v\n", sums)
	return err
}
