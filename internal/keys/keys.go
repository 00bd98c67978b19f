// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package keys has the attribute keys of our spans, links and metrics.
// docs/attributes.md describes them for users, and a test compares that page with this
// file.
package keys

import "go.opentelemetry.io/otel/attribute"

// Attributes of spans that stand for a message, handled or not.
const (
	// ProcessKind is the name of the process's kind; a string. Metrics have it too.
	ProcessKind = attribute.Key("waybill.process.kind")
	// ProcessID is the ID that the process was spawned with; a string, absent if that
	// is empty.
	ProcessID = attribute.Key("waybill.process.id")
	// MessageType is the message's Go type without its package; a string. Metrics have it too.
	MessageType = attribute.Key("waybill.message.type")
	// QueueDuration is how long a message waited between its sending and its handling,
	// or its end without one, in seconds; a double.
	QueueDuration = attribute.Key("waybill.queue.duration")
	// NetworkDuration is how long a message took from where it was written to where it was
	// received, on another machine perhaps, in seconds; a double, never negative.
	NetworkDuration = attribute.Key("waybill.network.duration")
	// ClocksCrossed is true where NetworkDuration, or QueueDuration if there is no such, is the
	// difference of two clocks; a boolean.
	ClocksCrossed = attribute.Key("waybill.clocks.crossed")
	// LateReason is why a span was made late; a string.
	LateReason = attribute.Key("waybill.late.reason")
	// LateProbability is the probability with which a slow handling came to be counted,
	// where not all of them are; a double in (0, 1). It is in the weight already.
	LateProbability = attribute.Key("waybill.late.probability")
)

// DeliveryAttempt is how many times a message of a stream was given to a handler, with this
// time; an int.
const DeliveryAttempt = attribute.Key("waybill.delivery.attempt")

// LinkReason is why a span has a link; a string, on the link.
const LinkReason = attribute.Key("waybill.link.reason")

// Attributes of spans below a fan-out, which say what a sampled recipient stands for.
const (
	// FanoutWeight is how many recipients the span stands for, all fan-outs above it
	// multiplied; a double.
	FanoutWeight = attribute.Key("waybill.fanout.weight")
	// FanoutRoundedWeight is the weight rounded down or up at random, for each span
	// anew, so that its mean is the weight; an int.
	FanoutRoundedWeight = attribute.Key("waybill.fanout.rounded_weight")
	// FanoutProbability is the share of the recipients of the nearest fan-out above
	// that were sampled; a double.
	FanoutProbability = attribute.Key("waybill.fanout.probability")
	// FanoutSize is the number of recipients of the nearest fan-out above (on a
	// broadcast's own span, of that broadcast); an int.
	FanoutSize = attribute.Key("waybill.fanout.size")
	// FanoutDepth is the number of fan-outs above the span; an int.
	FanoutDepth = attribute.Key("waybill.fanout.depth")
)

// Attributes of broadcasts' spans, beside FanoutSize.
const (
	// FanoutSampled is how many recipients of a broadcast are sampled; an int.
	FanoutSampled = attribute.Key("waybill.fanout.sampled")
	// FanoutBudget is how many recipients may be sampled behind the relays of a
	// broadcast, all together; an int.
	FanoutBudget = attribute.Key("waybill.fanout.budget")
	// FanoutMethod is how those recipients were chosen: all, uniform, systematic or bernoulli; a
	// string.
	FanoutMethod = attribute.Key("waybill.fanout.method")
	// FanoutShed is true where the last resort of a rate limit left no recipient sampled; a
	// boolean. Estimates leave such a broadcast out.
	FanoutShed = attribute.Key("waybill.fanout.shed")
	// FanoutDelivered is how many mailboxes took the broadcast; an int.
	FanoutDelivered = attribute.Key("waybill.fanout.delivered")
	// FanoutRefused is how many mailboxes refused the broadcast; an int.
	FanoutRefused = attribute.Key("waybill.fanout.refused")
)

// Attributes of spans that stand for a batch of messages.
const (
	// BatchSize is how many messages a batch has, untraced ones included; an int.
	BatchSize = attribute.Key("waybill.batch.size")
	// BatchUnlinked is how many messages with a sampled trace have no link from the
	// batch's span, because it has as many as it may; an int, absent if all have one.
	BatchUnlinked = attribute.Key("waybill.batch.unlinked")
)

// FanoutGroup is the name of the group that broadcasts; a string, on metrics.
const FanoutGroup = attribute.Key("waybill.fanout.group")

// MailboxReason is why a message was refused, never handled, or failed; a string, on metrics.
const MailboxReason = attribute.Key("waybill.mailbox.reason")

// Attributes of metrics of channels.
const (
	// ChannelName is the name that a loop or handler was given; a string.
	ChannelName = attribute.Key("waybill.channel.name")
	// ChannelReason is why the handling of a message failed; a string.
	ChannelReason = attribute.Key("waybill.channel.reason")
	// MessageTrace is whether a message came with a trace; a string.
	MessageTrace = attribute.Key("waybill.message.trace")
)

// WorkerState is whether a worker runs or is blocked; a string, on metrics.
const WorkerState = attribute.Key("waybill.worker.state")

// RemoteReason is why a message between machines did not get across, or how a call ended; a
// string, on metrics.
const RemoteReason = attribute.Key("waybill.remote.reason")
