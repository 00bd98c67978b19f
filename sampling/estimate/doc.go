// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package estimate tells from the spans that were kept what all of them would
// have shown: how many there were, totals, means and quantiles, each with a
// standard error, an interval, and how many spans it rests on.
//
// A fan-out to ten thousand sessions leaves perhaps ten spans, each of which
// stands for a thousand. To count spans as they are counts small fan-outs fully
// and large ones hardly at all, and where large ones are slow, hides that.
//
//	var spans estimate.Spans
//	for _, span := range recorded { // all there are, in any order
//		spans.Add(span)
//	}
//	sessions := spans.Named("session MessageCreate").Handled
//	sessions.Count()    // deliveries
//	sessions.Above(0.5) // that took longer than half a second
//	sessions.Mean()     // seconds
//	sessions.Quantile(0.99)
//
// [Spans] takes spans of the OpenTelemetry SDK, others that have the same accessors, and
// OTLP in JSON ([Spans.AddOTLP]). It finds the broadcasts above each span, through relays,
// into traces that are linked to them, and through chains that were cut. What was refused
// or never handled is counted apart ([Deliveries]). What belongs to a broadcast on which a
// cap took effect is left out, and how many messages that were is told. Spans below a
// fan-out that do not say what they stand for are left out and counted ([Tally]); estimates
// then do not know how far they are off. Traces that a sampler has not kept are made up
// for where the trace states its probability, or the caller does ([Spans.AssumeHead]).
//
// # Estimates
//
// The weight w of a span is one over the probability with which it was kept, so
// [Sample.Count] Σw, [Sample.Total] Σwy and [Sample.Above] are unbiased (Horvitz
// and Thompson, 1952). [Sample.Mean] is Σwy/Σw, and [Sample.Quantile] inverts the
// weighted distribution (Hájek, 1971); their bias is far below their standard
// error unless there are only a few spans.
//
// # Standard errors
//
// They say how far an estimate may be off because some recipients were chosen and
// others not, and of nothing else. If all were, they are 0.
//
//   - Of a broadcast that chose k of N, that of a total over k of N without
//     replacement, N²(1-k/N)s²/k, with s² of all k; those that were not selected are
//     zeros (Cochran, Sampling Techniques, 1977, chapter 2). Broadcasts add up as
//     strata do (chapter 5). Of broadcasts below broadcasts each adds its part
//     (chapter 11; Raj, 1966).
//   - Behind relays that share a budget, that of a choice at the end of all relays,
//     where each relay with several is a stratum; of the relays, that of unequal
//     probabilities in proportion to their sizes (Hájek, 1964; Deville, 1999; Tillé,
//     Sampling Algorithms, 2006, chapter 7). It may be up to twice too large where
//     sizes that were said are far from the real ones, or budgets are below 1.
//   - Where seldom one recipient is chosen, that of one or nobody.
//   - Where kinds have limits of their own, that of two phases (Cochran, chapter 12).
//   - Of traces that a sampler has chosen, and of whatever is below a broadcast whose
//     span is missing, that of each being chosen by itself.
//   - Mean and Quantile use the same on deviations from themselves
//     (linearisation), Quantile by way of Woodruff's interval (1952).
//
// # Intervals
//
// They hold the truth in 95 of 100 cases, as long as an estimate is about normal: Student's
// distribution with Satterthwaite's degrees of freedom (1946), and on the side to which
// values are skewed Hall's transformation (1992). Where few were chosen and values are
// skewed no interval does, and a sample that missed the few that matter cannot know. So
// totals and means that rest on fewer than 50 spans ([Estimate]) have none. With 50, 90 of
// 100 hold the truth for log-normal values of σ = 1.5, 85 for σ = 2. Counts, Above and
// quantiles do not depend on how values are spread: they have one, which may be
// infinite on a side.
//
// To know a tail, count slow handlings as a stratum (sampling.Late.CountSlow): then each of
// them has a span, and a few that carry most of a total are part of it. Where that holds
// throughout, [Spans.Named] knows by it that none above the shortest of them is missing,
// and where they are one in a hundred, Quantile(0.99) has an upper end.
//
// # Late spans
//
// A span with the attribute waybill.late.reason was made when all was over, or
// was marked then. Its weight says whether it counts: an uncounted one has weight 0.
// With sampling.Late.CountSlow slow handlings are counted as a stratum of their
// own, with the weight of the fan-outs above the last, 1 if there are none,
// whether the choice fell on them or not. To say exactly how many were slow, select those
// of that reason alone ([Spans.Select]). Where there are more slow ones than there may be
// late spans, a share of them counts, each for as many more (waybill.late.probability):
// estimates stay unbiased, and say how many were slow within a standard error.
//
// Uncounted spans are in no estimate, but known: a total or a mean has no upper end if
// those that took longer than all that was chosen come to more than its interval.
//
// # Attributes
//
// On the spans of a chosen recipient, and all that follow from it:
//
//   - waybill.fanout.weight (double): how many the span stands for, all fan-outs
//     above it multiplied. Absent means 1, and 0 a late span
//     that stands for nobody.
//   - waybill.fanout.rounded_weight (int): the same, rounded down or up at random,
//     for each span anew, so that its mean is the weight. It is for backends that
//     count in whole numbers; always to round to the nearest would count 5
//     recipients, of whom 3 were chosen, as 6.
//   - waybill.fanout.probability (double): the share of the recipients of the
//     nearest fan-out above that were traced. It is one over the weight only where
//     the depth is 1. A slow handling that is counted as a stratum keeps it.
//   - waybill.fanout.size (int): the number of recipients of the nearest fan-out
//     above.
//   - waybill.fanout.depth (int): the number of fan-outs above the span.
//
// On a broadcast's own span, where weight, probability and depth are those of the
// fan-outs above it:
//
//   - waybill.fanout.size (int): the number of its own recipients. This, and all
//     that follow, are exact: no need to estimate what was counted.
//   - waybill.fanout.sampled (int): how many of them keep the trace.
//   - waybill.fanout.method (string): how those were chosen, all, uniform, or
//     systematic, by the sizes of relays.
//   - waybill.fanout.budget (int): how many may keep the trace in the end, behind
//     relays; absent where there are none.
//   - waybill.fanout.delivered and waybill.fanout.refused (int): how many
//     mailboxes took it, and how many did not.
//   - waybill.fanout.shed (boolean): that a cap took effect, and nobody was chosen;
//     absent otherwise. Nothing stands for its recipients.
//
// On the span of a message:
//
//   - waybill.queue.duration (double): seconds that it waited in the mailbox, or
//     until it ended there. It is an observation like any other.
//   - waybill.late.reason (string): see above.
//   - waybill.late.probability (double): the share of slow handlings of which this
//     is one that counts; absent if that is all. It is in the weight already.
//
// # Backends
//
// Any backend that can sum an attribute can use the weight: docs/backends.md of the
// repository says how for the Collector, ClickHouse, ClickStack, Tempo and Honeycomb.
//
// # Cost and concurrency
//
// [Spans] keeps every span that it is given, and is not safe for concurrent use. What it
// selects does not change, and may be used by several goroutines at once. Each estimate
// takes time in proportion to the number of spans, and a quantile sorts them.
package estimate
