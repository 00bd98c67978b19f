// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"fmt"
	"math"
	"time"

	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/traces/plain"
)

// notes returns what makes the sentence unsure, and what went wrong.
func (w *writer) notes() (notes []string) {
	for _, note := range []string{
		w.noteSampling(), w.noteUncounted(), w.noteMissing(), w.noteLinked(), w.noteLeftOut(), w.noteClocks(), w.noteFailures(),
	} {
		if note != "" {
			notes = append(notes, note)
		}
	}
	return notes
}

// noteSampling says that not all recipients of a fan-out were sampled. Of several it names the
// one with the most that were not.
func (w *writer) noteSampling() string {
	var largest *facts
	others := -1
	for i := range w.spans {
		f := &w.spans[i]
		if f.sampled < 0 || f.sampled >= f.size {
			continue
		}
		others++
		if largest == nil || f.size-f.sampled > largest.size-largest.sampled {
			largest = f
		}
	}
	if largest != nil {
		only, also := fmt.Sprintf("only %d", largest.sampled), ""
		if largest.sampled == 0 {
			only = "none"
		}
		if others > 0 {
			also = ", and not all of " + count(others, "other broadcast", "other broadcasts")
		}
		return fmt.Sprintf("%s of %d recipients of %s were sampled%s, so a slower one may be missing",
			only, largest.size, largest.name(), also)
	}
	if !w.orphan[w.top] && w.linked() != "" {
		return "" // The trace is that of one recipient.
	}
	for _, s := range w.steps { // The span of the fan-out may be missing.
		if f := &w.spans[s.span]; f.size > 0 && f.probability > 0 && f.probability < 1 {
			return fmt.Sprintf("only about %s of %d recipients were sampled, so a slower one may be missing",
				plain.Percent(f.probability), f.size)
		}
	}
	return ""
}

// noteUncounted says that the path goes through a span that stands for nobody.
func (w *writer) noteUncounted() string {
	for _, s := range w.steps {
		if f := &w.spans[s.span]; f.weight == 0 && f.late != "" {
			return "the span of " + f.who() + " is uncounted, so others may be like it"
		}
	}
	return ""
}

// noteMissing says that spans are missing.
func (w *writer) noteMissing() string {
	roots, orphans := 0, 0
	for _, top := range w.tops {
		if w.orphan[top] {
			orphans++
		} else {
			roots++
		}
	}
	switch {
	case roots == 0:
		return "the root of the trace is missing"
	case orphans > 0:
		return count(orphans, "span lacks its parent", "spans lack their parents")
	case roots > 1:
		return fmt.Sprintf("the trace has %d roots", roots)
	default:
		return ""
	}
}

// noteLinked says that the trace is the next part of another one.
func (w *writer) noteLinked() string {
	switch w.linked() {
	case "chain":
		return "it goes on from another trace"
	case "fanout":
		return "it is the trace of one recipient of a broadcast"
	default:
		return ""
	}
}

// linked returns why the root of the trace has a link to another trace that it goes on from; empty if
// it has none.
func (w *writer) linked() string {
	for _, link := range w.spans[w.top].span.Links() {
		for _, kv := range link.Attributes {
			if reason := text(kv.Value); kv.Key == keys.LinkReason && (reason == "chain" || reason == "fanout") {
				return reason
			}
		}
	}
	return ""
}

func (w *writer) noteLeftOut() string {
	if w.leftOut <= 0 {
		return ""
	}
	return count(w.leftOut, "span of the trace was", "spans of the trace were") + " left out"
}

// noteClocks says that times depend on the clocks of several machines.
func (w *writer) noteClocks() string {
	var skew, network, waited int64
	for _, s := range w.steps {
		f := &w.spans[s.span]
		if f.skew > skew || -f.skew > skew {
			skew = max(f.skew, -f.skew)
		}
		switch {
		case !f.crossed || w.oneClock(s.span):
		case s.what == Network:
			network += s.to - s.from
		case s.what == Wait && !f.networked:
			waited += s.to - s.from
		}
	}
	const little = 0.1 // of the whole; then it does not matter.
	switch {
	case skew > 0:
		return "clocks differ by " + plain.Duration(time.Duration(min(skew, math.MaxInt64))) + ", which was corrected"
	case float64(network) >= little*float64(w.total):
		return "the time in the network depends on two clocks"
	case float64(waited) >= little*float64(w.total):
		return "how long it waited depends on two clocks"
	default:
		return ""
	}
}

// oneClock reports whether a span and the one above it are known to be of one machine.
func (w *writer) oneClock(at int) bool {
	above := w.parent[at]
	if above == none {
		return false
	}
	same, _ := w.spans[above].from.sameHost(w.spans[at].from)
	return same
}

// noteFailures says what failed on the path: of several spans the deepest, which failed first.
func (w *writer) noteFailures() string {
	failed := make(map[int]bool)
	deepest := none
	for _, s := range w.steps {
		if !w.spans[s.span].failed {
			continue
		}
		if w.said[s.span] {
			return "" // The others failed because of it, or it was said at least that there was a failure.
		}
		failed[s.span] = true
		if deepest == none || w.depth[s.span] > w.depth[deepest] {
			deepest = s.span
		}
	}
	switch len(failed) {
	case 0:
		return ""
	case 1:
		return w.spans[deepest].name() + " failed"
	default:
		return fmt.Sprintf("%s and %s above it failed", w.spans[deepest].name(), count(len(failed)-1, "span", "spans"))
	}
}
