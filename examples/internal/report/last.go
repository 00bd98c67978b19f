// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/waybill-go/waybill/examples/internal/record"
	"github.com/waybill-go/waybill/internal/traces"
	"github.com/waybill-go/waybill/internal/traces/text"
)

// Look says how traces are drawn on out: in colours if that is a terminal whose user does
// not object (https://no-color.org), and as wide as that.
func Look(out io.Writer) (look text.Options) {
	file, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return look
	}
	look.Colour = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	if width, _, err := term.GetSize(int(file.Fd())); err == nil {
		look.Width = width
	}
	return look
}

// WriteTrace writes the waterfall of a trace. If more traces follow, the last of them says
// what the signs mean.
func WriteTrace(out io.Writer, t traces.Trace, more bool) error {
	look := Look(out)
	look.LeftOut, look.NoLegend = t.LeftOut, more
	return text.Write(out, t.ID, t.Spans, look)
}

// WriteLast writes the waterfall of the last trace that is kept, and what sampling did in all
// of them.
func WriteLast(out io.Writer, recorder *record.Recorder) error {
	var sums Fanouts
	all := recorder.All()
	for i, summary := range all {
		t := recorder.Trace(summary.ID)
		for _, span := range t.Spans {
			sums.Add(span)
		}
		if i == len(all)-1 {
			if err := WriteTrace(out, t, false); err != nil {
				return err
			}
		}
	}
	_, err := fmt.Fprintf(out, "\n%v\n", sums)
	return err
}
