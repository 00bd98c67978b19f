// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package durable

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// record is something that goes to the logger.
type record struct {
	level slog.Level
	text  string
	attrs []slog.Attr
}

func (r record) write(to *slog.Logger) {
	to.LogAttrs(context.Background(), r.level, r.text, r.attrs...)
}

// limits let one record a second through for each text. There are few texts.
type limits struct {
	mu     sync.Mutex
	byText map[string]*limit
}

type limit struct {
	last time.Time
	left uint64 // out since
}

// admit reports whether a record with that text goes to the logger at now, and how many were
// left out before it.
func (l *limits) admit(text string, now time.Time) (left uint64, admitted bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byText == nil {
		l.byText = make(map[string]*limit)
	}
	one := l.byText[text]
	if one == nil {
		one = new(limit)
		l.byText[text] = one
	}
	if !one.last.IsZero() && now.Sub(one.last) < time.Second {
		one.left++
		return 0, false
	}
	left, one.left, one.last = one.left, 0, now
	return left, true
}

// tell tells the logger, unless it was told the same within a second. How many were left out
// is in the next record and, exactly, in [Stats].
func (q *Queue[M]) tell(level slog.Level, text string, err error, attrs ...slog.Attr) {
	left, admitted := q.logged.admit(text, time.Now())
	if !admitted {
		return
	}
	all := []slog.Attr{slog.String("stream", q.config.Stream), slog.String("consumer", q.config.Consumer)}
	all = append(all, attrs...)
	if err != nil {
		all = append(all, slog.String("error", textOf(err)))
	}
	if left > 0 {
		all = append(all, slog.Uint64("left_out", left))
	}
	q.log.Put(record{level, "durable: " + text, all})
}
