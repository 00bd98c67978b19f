// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"context"
	"log/slog"
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

// tell tells the logger of something that was lost. Of many within a second it tells the first,
// and then how many more there were.
func (n *Node) tell(why reason, subject string, err error) { n.tellOf(why, subject, err, 1) }

func (n *Node) tellOf(why reason, subject string, err error, count uint64) {
	if n.logger == nil {
		return
	}
	n.told[why].Tell(count, func(count uint64, first bool) {
		attrs := []slog.Attr{slog.String("subject", subject), slog.Uint64("count", count)}
		if first && err != nil {
			attrs = append(attrs, slog.String("error", textOf(err)))
		}
		n.logger.LogAttrs(context.Background(), slog.LevelWarn, reasonTexts[why], attrs...)
	})
}
