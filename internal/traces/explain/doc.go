// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package explain says why a trace took as long as it did.
//
//	e := explain.Explain(spans, explain.FromTimings(store))
//	fmt.Println(e.Sentence)
//	// 94 % of 418 ms: the message waited for session 14, which spent 71 % of that minute in MessageCreate.
//
// [Tree] brings the spans into the order in which people read them, and [Explain] finds the
// critical path and puts it into words.
//
// # The critical path
//
// A message is sent and nobody waits for it, so spans outlive those above them, and a trace is over
// when its last span ends. The path leads from the start of the trace to that end. It is found
// from its end, backwards:
//
//   - In a span, it goes into the span below that ended last before, if the span above had to wait
//     for that. A span waits for what is below it and ends before it, but not for a CONSUMER, which
//     is a message that was sent and that somebody else handles. A call waits for its handling, and
//     so does a CLIENT, even if the handling goes on after the answer.
//   - Before a handling, its message was in a queue or in the network, for as long as the span says.
//   - Before that, it was sent: the path goes on in the span above, at that time.
//
// So each moment of the trace is work of one span, wait in a queue, network, or a gap that
// nothing in the trace explains. What ran side by side with the path and ended earlier is not on it,
// however long it took.
//
// Package explain may be used by any number of goroutines. It keeps nothing. It looks at each span
// a few times, in O(n log n), and takes spans as they come: without their parents, in cycles, with
// the same IDs, from machines whose clocks differ.
package explain
