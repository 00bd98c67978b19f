// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"fmt"
	"strings"
	"time"

	"github.com/waybill-go/waybill/internal/traces/plain"
)

const (
	// most is the share from which on a part explains a trace.
	most = 0.5
	// worthMentioning is the share from which on the second part is named too.
	worthMentioning = 0.25
)

// writer puts the critical path of a trace into words.
type writer struct {
	*path

	total   time.Duration
	leftOut int
	did     Activity
	said    map[int]bool // spans of which it was said that they failed
}

// sentence says which part took the largest share, or the two largest, and what makes that unsure.
func (w *writer) sentence() string {
	parts := w.parts()
	if len(parts) == 0 {
		return "The trace took no time that its spans show."
	}
	w.said = make(map[int]bool)
	first := parts[0]
	var text string
	if w.share(first) >= most {
		text = fmt.Sprintf("%s of %s: %s", plain.Percent(w.share(first)), plain.Duration(w.total), w.describe(first))
		if len(parts) > 1 && w.share(parts[1]) >= worthMentioning {
			text += fmt.Sprintf("; another %s: %s", plain.Percent(w.share(parts[1])), w.describe(parts[1]))
		}
	} else {
		text = fmt.Sprintf("No single cause for %s: %s, %s; %s, %s", plain.Duration(w.total),
			plain.Percent(w.share(first)), w.describe(first), plain.Percent(w.share(parts[1])), w.describe(parts[1]))
	}
	if notes := w.notes(); len(notes) > 0 {
		text += " (" + strings.Join(notes, "; ") + ")"
	}
	return text + "."
}

func (w *writer) share(p *part) float64 { return float64(p.total) / float64(w.total) }

// describe says what p is.
func (w *writer) describe(p *part) string {
	switch p.what {
	case Work:
		return w.describeWork(p)
	case Wait:
		return w.describeWait(p)
	case Network:
		return w.describeNetwork(p)
	default:
		return w.describeGap(p)
	}
}

func (w *writer) describeNetwork(p *part) string {
	at := p.longest.span
	from, to := w.spans[at].from.service, ""
	if w.served[at] {
		for _, c := range w.below[at] {
			if w.spans[c].from.service != from {
				to = w.spans[c].from.service
			}
		}
	} else if above := w.above[at]; above != none {
		from, to = w.spans[above].from.service, from
	}
	name := w.spans[at].name()
	if from == "" || to == "" || from == to {
		return "the network, for " + name
	}
	return fmt.Sprintf("the network between %s and %s, for %s", word(from), word(to), name)
}

func (w *writer) describeGap(p *part) string {
	const nothing = "nothing in the trace explains "
	at := p.longest.span
	name, above := w.spans[at].name(), w.above[at]
	switch {
	case w.orphan[at]:
		return nothing + "the time before " + name + ", whose parent is missing"
	case above == none:
		return nothing + "the time before " + name
	case w.sent[at] < w.start[at]:
		return fmt.Sprintf(nothing+"why the message to %s was sent so long after %s had ended", name, w.spans[above].name())
	default:
		return fmt.Sprintf(nothing+"the time after %s and before %s", w.spans[above].name(), name)
	}
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// longestName is the most columns that a name takes in a sentence.
const longestName = 60

// word returns what a stranger has called something, in quotation marks if it could be taken for
// a part of the sentence.
func word(s string) string {
	if s == "" || strings.ContainsAny(s, " \t\r\n\"'(){},;!?%") {
		return quoted(s)
	}
	return plain.Fit(s, longestName)
}

func quoted(s string) string {
	return `"` + strings.ReplaceAll(plain.Fit(s, longestName), `"`, "'") + `"`
}

// name returns the name of the span in quotation marks.
func (f *facts) name() string { return quoted(f.span.Name()) }

// processName returns the kind and the ID of the span's process.
func (f *facts) processName() string {
	if f.process == "" {
		return word(f.kind)
	}
	return word(f.kind) + " " + word(f.process)
}
