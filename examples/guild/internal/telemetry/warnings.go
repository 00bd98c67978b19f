// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"errors"
	"strings"
	"sync"
	"unicode"
)

// Bounds of what is said of errors, whose text may be a stranger's.
const (
	maxWarning  = 300 // characters
	maxWarnings = 20
)

// warnings says what is wrong, each thing once.
type warnings struct {
	tell func(string)

	mu         sync.Mutex
	said       map[string]bool
	exports    bool     // it was said that they fail
	collecting bool     // errors instead of saying them
	collected  []string // so far
}

func newWarnings(tell func(string)) *warnings {
	return &warnings{tell: tell, said: make(map[string]bool)}
}

// warn says something.
func (w *warnings) warn(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.say(text)
}

func (w *warnings) say(text string) {
	text = Printable(text)
	if !w.said[text] && len(w.said) < maxWarnings {
		w.said[text] = true
		w.tell(text)
	}
}

// knows reports whether something was said.
func (w *warnings) knows(text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.said[Printable(text)]
}

// Handle implements otel.ErrorHandler: it gets the errors of the SDK. Of those of
// exports the first is said; they are counted.
func (w *warnings) Handle(err error) {
	text := err.Error()
	w.mu.Lock()
	defer w.mu.Unlock()
	if failed := (*exportError)(nil); errors.As(err, &failed) {
		if w.exports {
			return
		}
		w.exports = true
		w.say(text)
		return
	}
	if w.collecting {
		w.collected = append(w.collected, text)
		return
	}
	w.say("telemetry: " + text)
}

// during returns the errors that the SDK reports while f runs, instead of saying
// them. It is for one goroutine at a time.
func (w *warnings) during(f func()) []string {
	w.mu.Lock()
	w.collecting, w.collected = true, nil
	w.mu.Unlock()
	f()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.collecting = false
	return w.collected
}

// Printable returns text such that it can be shown on a terminal: a collector, or who
// answers in its place, could send sequences that change what the terminal shows or
// does.
func Printable(text string) string {
	var b strings.Builder
	n := 0
	for _, r := range text {
		if n++; n > maxWarning {
			b.WriteRune('…')
			break
		}
		switch {
		case unicode.IsSpace(r):
			r = ' '
		case !unicode.IsPrint(r):
			r = unicode.ReplacementChar
		}
		b.WriteRune(r)
	}
	return b.String()
}
