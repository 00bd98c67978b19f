// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote

// Stats counts messages between a node and others. At rest
//
//	messages handled by the node's references + broadcasts, for each other node = Sent + NotSent
//	Received = Delivered + Forwarded + Refused + Undecodable + Oversized + Served.Calls
//	Served.Calls = Served.Answered + Served.Failed
//
// and what a sender's node has sent is what the receivers' have received and dropped, unless
// something between them was lost: the documentation of the package says where.
type Stats struct {
	Sent        uint64  // messages and calls that the connection took
	NotSent     NotSent // messages and calls that were not sent
	Received    uint64  // messages and calls that came
	Delivered   uint64  // taken into the mailbox of a process, calls apart
	Forwarded   uint64  // handed on to the node that their process has moved to
	Refused     Refused // not taken
	Undecodable uint64  // the codec could not read them
	Oversized   uint64  // longer than [Limits] allow
	Cut         uint64  // sent without some of the tracestate or baggage, which did not fit
	Dropped     uint64  // came while too much was waiting, and were never seen
	Bare        uint64  // came without a trace and without baggage, and could be read
	Malformed   uint64  // came with headers, or a reply subject, that could not be used, in part or in whole
	Calls       Calls   // from here to others
	Served      Answers // of calls from others
}

// NotSent counts the messages that a reference of the node could not send, by reason.
type NotSent struct {
	Codec      uint64 // they could not be written
	Oversized  uint64 // they were longer than [Limits] allow
	Full       uint64 // too many calls waited for answers
	Connection uint64 // the connection did not take them, or they were calls and the node was closed
	Unplaced   uint64 // nobody knew in time where their process is, or its node was lost just then
}

// Total returns the sum over all reasons.
func (n NotSent) Total() uint64 { return n.Codec + n.Oversized + n.Full + n.Connection + n.Unplaced }

// Refused counts the messages that came and that no process took, by reason.
type Refused struct {
	Full    uint64 // its mailbox was full
	Stopped uint64 // it had ended, or was no longer served
	Busy    uint64 // calls, while too many were being answered
}

// Total returns the sum over all reasons.
func (r Refused) Total() uint64 { return r.Full + r.Stopped + r.Busy }

// Calls counts the calls that were made from here.
type Calls struct {
	Pending   uint64 // now waiting for an answer
	Answered  uint64
	Failed    uint64 // the answer was another error, or could not be read, or nobody served them
	TimedOut  uint64 // there was no answer in time, as this machine or the other one found
	Cancelled uint64 // the caller's context was cancelled, or the answer says so
	Late      uint64 // answers that came when nobody waited any more
	// Redirected counts the calls that were sent a second time, because their process had moved.
	// They are counted once elsewhere.
	Redirected uint64
	Lost       uint64 // answers that came while too many waited to be read
}

// failed returns where calls are counted whose answer is an error with that code.
func (c *Calls) failed(code string) *uint64 {
	switch code {
	case codeDeadline:
		return &c.TimedOut
	case codeCancelled:
		return &c.Cancelled
	default:
		return &c.Failed
	}
}

// Answers counts the calls that came from elsewhere and were taken on.
type Answers struct {
	Calls     uint64 // taken on
	Pending   uint64 // now being answered
	Answered  uint64 // with a result
	Failed    uint64 // with an error
	Cancelled uint64 // of those: their callers had gone
	Lost      uint64 // answers that the connection did not take
}

// Stats returns what has been counted so far. Each figure is exact. Together they may be of
// slightly different moments.
func (n *Node) Stats() Stats {
	n.countDropped()
	return n.tally.Load(figures)
}
