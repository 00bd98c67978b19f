// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package keys has the attributes of spans, links and metrics that more than one of our
// packages knows: one writes them, and another writes or reads them too. Those that
// package sampling documents are in internal/fanout.
package keys

import "go.opentelemetry.io/otel/attribute"

const (
	// ProcessKind is the kind of the process that handles a message; a string.
	ProcessKind = attribute.Key("waybill.process.kind")
	// QueueDuration is how long a message waited between its sending and its handling,
	// in seconds; a double.
	QueueDuration = attribute.Key("waybill.queue.duration")
	// LinkReason is why a span has a link; a string, on the link.
	LinkReason = attribute.Key("waybill.link.reason")
	// LateReason is why a span was made late; a string.
	LateReason = attribute.Key("waybill.late.reason")
	// LateProbability is the share of such late spans that were kept; a double.
	LateProbability = attribute.Key("waybill.late.probability")
	// FanoutSampled is how many recipients of a broadcast keep the trace; an integer.
	FanoutSampled = attribute.Key("waybill.fanout.sampled")
	// FanoutBudget is how many spans the recipients of a relay may have; an integer.
	FanoutBudget = attribute.Key("waybill.fanout.budget")
	// FanoutRefused is how many recipients did not take the message in; an integer.
	FanoutRefused = attribute.Key("waybill.fanout.refused")
)
