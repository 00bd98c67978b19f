// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"time"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
)

// Variants of ours with late spans switched on for messages that are slow, wait long or
// fail. No message does.
const (
	oursLate        = "ours-late"
	oursSampledLate = "ours-sampled-late"
)

// lateSendRow measures what it costs to check whether a message is worth a late span.
func lateSendRow(ratios ...ratio) row {
	return row{
		name: "late-send", about: "one sender to one process, late spans off and on, none of which is made",
		size: 1, ratios: ratios,
		variants: []variant{
			{raw, rawSend},
			{oursUntraced, func(size int) (*contender, error) { return ourSend(size, untraced) }},
			{oursLate, withLate(ourSendIn, untraced)},
		},
	}
}

// lateFanoutRow measures the same for broadcasts. If the sender's trace is sampled, the
// skipped recipients know the trace.
func lateFanoutRow(recipients int, ratios ...ratio) row {
	return row{
		name:  fmt.Sprintf("late-fanout-%d", recipients),
		about: fmt.Sprintf("one message to %d recipients, late spans off and on", recipients),
		size:  recipients, ratios: ratios,
		variants: []variant{
			{raw, rawFanout},
			{oursUntraced, func(size int) (*contender, error) { return ourFanout(size, untraced) }},
			{oursLate, withLate(ourFanoutIn, untraced)},
			{oursSampled, func(size int) (*contender, error) { return ourFanout(size, sampled) }},
			{oursSampledLate, withLate(ourFanoutIn, sampled)},
		},
	}
}

// withLate is ours with late spans switched on.
func withLate(
	set func(size int, tr tracing, opts ...mailbox.SystemOption) (*contender, error), tr tracing,
) func(int) (*contender, error) {
	return func(size int) (*contender, error) {
		c := sampling.Config{}
		c.Default.Late = sampling.Late{Failures: true, SlowerThan: time.Minute, QueuedLongerThan: time.Minute}
		control, err := sampling.NewControl(c)
		if err != nil {
			return nil, err
		}
		return set(size, tr, mailbox.WithControl(control))
	}
}
