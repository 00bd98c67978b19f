// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/waybill-go/waybill/internal/traces/plain"
)

// describeWait says for whom messages waited, and why, as far as that is known.
func (w *writer) describeWait(p *part) string {
	at := p.longest.span
	f := &w.spans[at]
	messages := "the message"
	if p.spans > 1 {
		messages = count(p.spans, "message", "messages")
	}
	if f.unhandled {
		w.said[at] = true
		return messages + " waited for " + f.who() + ", " + unhandled(f.late)
	}
	if f.kind == "" {
		return messages + " waited in a queue for " + f.name() + w.whileBroadcast(p.longest)
	}
	text := messages + " waited for " + f.processName()
	if broadcast := w.whileBroadcast(p.longest); broadcast != "" {
		return text + broadcast
	}
	why := w.meanwhile(p.longest)
	if did := w.timings(f, p.longest); did != "" {
		why = append(why, did)
	}
	if len(why) > 0 {
		text += ", which " + strings.Join(why, " and ")
	}
	if p.spans > 1 {
		return text
	}
	return text + w.others(p.longest)
}

// unhandled says why a message was not handled.
func unhandled(reason string) string {
	switch reason {
	case "refused_full":
		return "whose mailbox was full and refused it"
	case "refused_stopped":
		return "which had stopped and refused it"
	case "refused_cancelled":
		return "until its sender gave up"
	case "dead_letter_killed":
		return "which was killed before it handled it"
	case "dead_letter_failed":
		return "which failed before it handled it"
	case "dead_letter_dropped":
		return "whose mailbox dropped it for a newer one"
	case "dead_letter_expired":
		return "until its caller had gone"
	}
	if why, ok := strings.CutPrefix(reason, "refused_"); ok {
		return "which refused it (" + word(why) + ")"
	}
	return "which never handled it (" + word(strings.TrimPrefix(reason, "dead_letter_")) + ")"
}

// whileBroadcast says that a message waited mostly while it was still on its way to all recipients of
// a broadcast, of which nobody knows when it came to this one.
func (w *writer) whileBroadcast(s step) string {
	above := w.above[s.span]
	if above == none || w.spans[above].sampled < 0 {
		return ""
	}
	if both := overlap(s.from, s.to, w.start[above], w.end[above]); float64(both) < most*float64(s.to-s.from) {
		return ""
	}
	return fmt.Sprintf(", most of it while %s went through its %s", w.spans[above].name(),
		count(int(w.spans[above].size), "recipient", "recipients"))
}

// others compares the wait of a message with those of the other recipients of its broadcast: if most
// of them waited as long, that was not because of this process.
func (w *writer) others(s step) string {
	const (
		few    = 4       // recipients of which nothing is said
		nearly = 2. / 3  // of the wait
		little = 1. / 10 // of it
	)
	above := w.above[s.span]
	if above == none || w.spans[above].sampled < 0 {
		return ""
	}
	var waits []int64
	for _, i := range w.below[above] {
		// An uncounted one is there because it was slow, and says nothing of the others.
		if f := &w.spans[i]; i != s.span && f.async() && !f.unhandled && f.weight != 0 {
			waits = append(waits, f.queue)
		}
	}
	if len(waits) < few {
		return ""
	}
	slices.Sort(waits)
	median, own := waits[len(waits)/2], float64(w.spans[s.span].queue)
	switch {
	case float64(median) >= nearly*own:
		return ", and most others of " + w.spans[above].name() + " waited nearly as long"
	case float64(median) <= little*own:
		return fmt.Sprintf(", while half of the others of %s waited %s at most", w.spans[above].name(), plain.Duration(time.Duration(median)))
	default:
		return ""
	}
}

// meanwhile says what the process of a message did while it waited, as far as the trace shows it.
func (w *writer) meanwhile(s step) []string {
	f := &w.spans[s.span]
	var took, longest int64
	var with string
	handled := 0
	for i := range w.spans {
		g := &w.spans[i]
		if g.kind != f.kind || g.process != f.process || g.answered() || g.unhandled {
			continue
		}
		if g.restarted && w.start[i] > s.from && w.start[i] <= s.to {
			return []string{"restarted after a failure"}
		}
		if both := overlap(s.from, s.to, w.start[i], w.end[i]); both > 0 {
			handled++
			took += both
			if both > longest {
				longest, with = both, g.message
			}
		}
	}
	switch {
	case float64(took) < most*float64(s.to-s.from):
		return nil
	case handled > 1:
		return []string{fmt.Sprintf("handled %d other messages of this trace", handled)}
	default:
		return []string{"handled " + word(with)}
	}
}

// timings says what the process of f did in the minute in the middle of s, in which most of s is.
func (w *writer) timings(f *facts, s step) string {
	if w.did == nil {
		return ""
	}
	b, ok := w.did(f.kind, f.process, w.at(s.from+(s.to-s.from)/2-f.skew))
	if !ok || !(b.Share > 0) || s.what == Work && b.Share < busy {
		return ""
	}
	const recorded = 200 * time.Millisecond // Until then, all that went before is in the timings.
	took := time.Duration(s.to - s.from)
	if s.what == Wait && took > recorded && b.Busy > 0 && b.Busy < took/2 && !b.Estimated {
		return fmt.Sprintf("was busy for %s of that minute, so it rather waited for a processor", plain.Duration(b.Busy))
	}
	spent := plain.Percent(b.Share)
	if b.Share < busy && b.Took > 0 { // A small share says little, because the wait is a small part of the minute too.
		spent = plain.Duration(b.Took)
	}
	if b.Estimated {
		spent = "an estimated " + spent
	}
	return fmt.Sprintf("spent %s of that minute in %s", spent, word(b.Message))
}
