// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"fmt"
	"io"
	"time"
)

// progress tells how far long work has come: at its end, and on the way every
// second or so.
type progress struct {
	out   io.Writer
	what  string
	total int
	next  time.Time
	begun time.Time
}

const progressEvery = time.Second

func newProgress(out io.Writer, what string, total int) *progress {
	now := time.Now()
	return &progress{out: out, what: what, total: total, begun: now, next: now.Add(progressEvery)}
}

func (p *progress) at(done int) {
	now := time.Now()
	if done < p.total && now.Before(p.next) {
		return
	}
	p.next = now.Add(progressEvery)
	fmt.Fprintf(p.out, "%s: %d of %d (%.1f s)\n", p.what, done, p.total, now.Sub(p.begun).Seconds())
}
