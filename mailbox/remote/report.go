// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/waybill-go/waybill/internal/guard"
)

// reason is what a node tells its logger of.
type reason int

const (
	notWritten reason = iota
	notSent
	undecodable
	oversized
	refused
	dropped
	namesake

	reasons
)

var reasonTexts = [reasons]string{
	notWritten:  "remote: message not written",
	notSent:     "remote: not sent",
	undecodable: "remote: message not readable",
	oversized:   "remote: message too large",
	refused:     "remote: message refused",
	dropped:     "remote: messages dropped, because too many waited",
	namesake:    "remote: another node has the same ID, and neither broadcasts to the other",
}

// reports are what a node has told its logger of.
type reports struct{ by [reasons]report }

// report is what was told of one reason.
type report struct {
	count atomic.Uint64 // that was not told
	busy  atomic.Bool   // a record is being written, or was within the last second
}

// reportEvery is the least time between two records of one reason.
const reportEvery = time.Second

// tell tells the logger of something that was lost. Of many within a second it tells the first,
// and then how many more there were.
func (n *Node) tell(why reason, subject string, err error) { n.tellOf(why, subject, err, 1) }

func (n *Node) tellOf(why reason, subject string, err error, count uint64) {
	if n.logger == nil {
		return
	}
	r := &n.told.by[why]
	r.count.Add(count)
	if r.busy.CompareAndSwap(false, true) {
		go r.write(n.logger, why, subject, err) // A logger that blocks holds up nobody else.
	}
}

// write writes a record, and another one after a second if there was more until then.
func (r *report) write(logger *slog.Logger, why reason, subject string, err error) {
	defer time.AfterFunc(reportEvery, func() { // Also if the logger or the error ends the goroutine.
		r.busy.Store(false)
		if r.count.Load() > 0 && r.busy.CompareAndSwap(false, true) {
			r.write(logger, why, subject, nil)
		}
	})
	attrs := []slog.Attr{slog.String("subject", subject), slog.Uint64("count", r.count.Swap(0))}
	if err != nil {
		attrs = append(attrs, slog.String("error", textOf(err)))
	}
	guard.Do(func() { logger.LogAttrs(context.Background(), slog.LevelWarn, reasonTexts[why], attrs...) })
}
