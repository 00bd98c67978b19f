// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package durable

import (
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/observe"
)

// Stats counts what became of messages. At any moment when nothing is on its way,
//
//	Received = Handled + Failed + Returned + DeadLetters.Total() + Held
type Stats struct {
	Published     uint64 // acknowledged by the stream
	PublishFailed uint64 // not published, or nobody knows
	Cut           uint64 // of those that Published counts: without some of the tracestate or baggage, which did not fit
	Received      uint64 // deliveries taken from the server
	Redelivered   uint64 // of those: not the first of their message
	Repeated      uint64 // deliveries of a message that is still held here; they change nothing
	Bare          uint64 // deliveries without a trace and without baggage
	Malformed     uint64 // deliveries with headers that could not be read in full
	Handled       uint64 // handler returned nil, acknowledged
	Failed        uint64 // handling failed, or the dead letter could not be stored; to be delivered again
	Returned      uint64 // handed back: not handled, or not to its end
	DeadLetters   DeadLetters
	Held          uint64 // now taken and not done with
	Extended      uint64 // times that a message was given more time
	// DeadLettersWithoutHeaders counts the dead letters that were stored without the headers of
	// their message, because they could not be stored with them.
	DeadLettersWithoutHeaders uint64
	// DeadLettersWithoutPayload counts those of them that have no payload either.
	DeadLettersWithoutPayload uint64
	// DeadLetterErrors counts the times that a dead letter could not be stored. Its message
	// stays in the stream, and that is tried again.
	DeadLetterErrors uint64
	// Forgotten counts the times that the key-value store could not be read or written. A link
	// to a failed handling may be missing, or an attempt counted that was none.
	Forgotten uint64
	// AckErrors counts what could not be told to the server, because the connection was closed
	// or its buffer full. Those messages are delivered again.
	AckErrors uint64
}

// DeadLetters counts the messages that were given up, by reason.
type DeadLetters struct {
	Failed      uint64 // the last attempt failed
	Undelivered uint64 // taken MaxDeliver times by programs that did not say what became of it
	Undecodable uint64 // the codec failed
	Oversized   uint64 // more than MaxMessage bytes
}

// Total returns the sum over all reasons.
func (d DeadLetters) Total() uint64 { return d.Failed + d.Undelivered + d.Undecodable + d.Oversized }

// figures are the metrics of all that [Stats] counts.
var figures = []observe.Field[Stats]{
	observe.NewField("waybill.durable.published", "{message}", "Messages that the stream has acknowledged.",
		func(s *Stats) *uint64 { return &s.Published }),
	observe.NewField("waybill.durable.publish_failed", "{message}", "Messages that could not be published.",
		func(s *Stats) *uint64 { return &s.PublishFailed }),
	observe.NewField("waybill.durable.cut", "{message}", "Messages published without some of their tracestate or baggage, which did not fit.",
		func(s *Stats) *uint64 { return &s.Cut }),
	observe.NewField("waybill.durable.received", "{delivery}", "Deliveries taken from the server.",
		func(s *Stats) *uint64 { return &s.Received }),
	observe.NewField("waybill.durable.redelivered", "{delivery}", "Deliveries that were not the first of their message.",
		func(s *Stats) *uint64 { return &s.Redelivered }),
	observe.NewField("waybill.durable.repeated", "{delivery}", "Deliveries of a message that was still held.",
		func(s *Stats) *uint64 { return &s.Repeated }),
	observe.NewField("waybill.durable.bare", "{delivery}", "Deliveries without a trace and without baggage.",
		func(s *Stats) *uint64 { return &s.Bare }),
	observe.NewField("waybill.durable.malformed", "{delivery}", "Deliveries with headers that could not be read in full.",
		func(s *Stats) *uint64 { return &s.Malformed }),
	observe.NewField("waybill.durable.handled", "{message}", "Messages that were handled and acknowledged.",
		func(s *Stats) *uint64 { return &s.Handled }),
	observe.NewField("waybill.durable.failed", "{delivery}", "Deliveries whose handling failed, to be delivered again.",
		func(s *Stats) *uint64 { return &s.Failed }),
	observe.NewField("waybill.durable.returned", "{delivery}", "Deliveries handed back before the end of their handling.",
		func(s *Stats) *uint64 { return &s.Returned }),
	deadLetterFigure(reasonFailed, func(s *Stats) *uint64 { return &s.DeadLetters.Failed }),
	deadLetterFigure(reasonUndelivered, func(s *Stats) *uint64 { return &s.DeadLetters.Undelivered }),
	deadLetterFigure(reasonUndecodable, func(s *Stats) *uint64 { return &s.DeadLetters.Undecodable }),
	deadLetterFigure(reasonOversized, func(s *Stats) *uint64 { return &s.DeadLetters.Oversized }),
	observe.NewField("waybill.durable.dead_letters_without_headers", "{message}", "Dead letters without the headers of their message, which did not fit.",
		func(s *Stats) *uint64 { return &s.DeadLettersWithoutHeaders }),
	observe.NewField("waybill.durable.dead_letters_without_payload", "{message}", "Of those: without the payload too.",
		func(s *Stats) *uint64 { return &s.DeadLettersWithoutPayload }),
	observe.NewField("waybill.durable.held", "{message}", "Messages now taken and not done with.",
		func(s *Stats) *uint64 { return &s.Held }).Falling(),
	observe.NewField("waybill.durable.extended", "{request}", "Times that a message was given more time.",
		func(s *Stats) *uint64 { return &s.Extended }),
	observe.NewField("waybill.durable.dead_letter_errors", "{failure}", "Times that a dead letter could not be stored.",
		func(s *Stats) *uint64 { return &s.DeadLetterErrors }),
	observe.NewField("waybill.durable.forgotten", "{failure}", "Times that the key-value store could not be read or written.",
		func(s *Stats) *uint64 { return &s.Forgotten }),
	observe.NewField("waybill.durable.ack_errors", "{failure}", "Times that the server could not be told.",
		func(s *Stats) *uint64 { return &s.AckErrors }),
}

func deadLetterFigure(why reason, of func(*Stats) *uint64) observe.Field[Stats] {
	return observe.NewField("waybill.durable.dead_letters", "{message}", "Messages that were given up.", of).
		With(keys.RemoteReason.String(string(why)))
}

// of returns where dead letters of that reason are counted.
func (d *DeadLetters) of(why reason) *uint64 {
	switch why {
	case reasonUndelivered:
		return &d.Undelivered
	case reasonUndecodable:
		return &d.Undecodable
	case reasonOversized:
		return &d.Oversized
	default:
		return &d.Failed
	}
}
