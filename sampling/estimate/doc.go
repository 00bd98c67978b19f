// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package estimate tells from the spans that were kept what all spans would have shown:
// how many there were, totals, means and quantiles. Each estimate has a standard error and
// an interval, and says how many spans it rests on.
//
// A fan-out to ten thousand sessions leaves perhaps ten spans, each of which stands for a
// thousand. If spans are counted as they are, small fan-outs count in full and large ones
// hardly at all. If the large ones are slow, that hides it.
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
// [Spans] takes spans of the OpenTelemetry SDK, others with the same accessors, and OTLP in
// JSON ([Spans.AddOTLP]). It finds the broadcasts above each span: through relays, into
// traces that are linked to them, and through chains that were cut.
//
//   - Messages that were refused or never handled are estimated apart ([Deliveries]).
//   - Spans below a broadcast on which a cap took effect are left out. Deliveries.Shed
//     estimates how many messages are missing for that.
//   - Spans below a fan-out that do not say what they stand for are left out and counted
//     ([Tally]). Estimates do not know then how far they are off.
//   - Where a sampler has not kept all traces, estimates are scaled up, if the traces state
//     the sampler's probability or the caller does ([Spans.AssumeHead]).
//
// # Estimates
//
// The weight w of a span is one over the probability with which it was kept. So
// [Sample.Count] Σw, [Sample.Total] Σwy and [Sample.Above] are unbiased (Horvitz and
// Thompson, 1952). [Sample.Mean] is Σwy/Σw, and [Sample.Quantile] inverts the weighted
// distribution (Hájek, 1971). Their bias is far below their standard error, unless there
// are only a few spans.
//
// # Standard errors
//
// A standard error says how far an estimate may be off because some recipients were sampled
// and others not, and nothing else. If all were sampled, it is 0. How the variance is
// estimated depends on how recipients were chosen:
//
//   - A broadcast that sampled k of N: the variance of a total over k of N without
//     replacement, N²(1-k/N)s²/k, with s² of all k. Those that were not selected count as
//     zeros (Cochran, Sampling Techniques, 1977, chapter 2). Broadcasts add up as strata do
//     (chapter 5). Broadcasts below broadcasts add a part each (chapter 11; Raj, 1966).
//   - Recipients behind relays that share a budget: the variance of a choice at the end of
//     all relays, where each relay with several recipients is a stratum.
//   - The relays: the variance with unequal probabilities in proportion to their sizes
//     (Hájek, 1964; Deville, 1999; Tillé, Sampling Algorithms, 2006, chapter 7). It may be
//     up to twice too large where stated sizes are far from the real ones, or budgets are
//     below 1.
//   - Fan-outs that seldom sample one recipient: the variance of one or nobody.
//   - Kinds that have limits of their own: that of two phases (Cochran, chapter 12).
//   - Traces that a sampler has chosen, recipients whose number was not known beforehand,
//     and all that is below a broadcast whose span is missing: that of independent choices.
//   - Mean and Quantile apply the same to deviations from themselves (linearisation),
//     Quantile by way of Woodruff's interval (1952).
//
// # Intervals
//
// An interval holds the truth in 95 of 100 cases, as long as the estimate is about normal.
// It is that of Student's distribution with Satterthwaite's degrees of freedom (1946). On
// the side to which values are skewed it is extended by Hall's transformation (1992).
//
// If only a few recipients were sampled and values are skewed, no interval is right: a
// sample that missed the few values that matter cannot know of them. So totals and means
// that rest on fewer than 50 spans have none ([Estimate]). With 50, they hold the truth in
// 90 of 100 cases for log-normal values with σ = 1.5, and in 85 for σ = 2. Counts, Above and
// quantiles do not depend on how values are spread. They always have an interval, which may
// be infinite on a side.
//
// To know a tail, count slow handlings as a stratum (sampling.Late.CountSlow). Then each of
// them has a span, and the few that carry most of a total are part of it. If that is so for
// all handlings of a name, [Spans.Named] knows that none above the shortest of them is
// missing. If they are one in a hundred, Quantile(0.99) has an upper end.
//
// # Late spans
//
// A span with the attribute waybill.late.reason was made, or was marked, after the handling.
// Its weight says whether it counts: an uncounted span has weight 0.
//
// With sampling.Late.CountSlow, slow handlings are a stratum. Each has the weight of the
// fan-outs above the last, or 1 if there are none, whether it was sampled or not. To know
// exactly how many were slow, select the spans with that reason ([Spans.Select]). If more
// handlings are slow than there may be late spans, only a share of them counts, and each of
// these stands for as many more (waybill.late.probability). Estimates stay unbiased, and
// say how many were slow within a standard error.
//
// Uncounted spans are in no estimate, but known. If the uncounted spans that took longer
// than every sampled one add up to more than the interval, a total or a mean has no upper
// end.
//
// # Attributes
//
// On the spans of a sampled recipient, and all spans that follow from them:
//
//   - waybill.fanout.weight (double): how many recipients the span stands for, over all
//     fan-outs above it. Absent means 1. A late span that stands for nobody has 0.
//   - waybill.fanout.rounded_weight (int): the weight, rounded down or up at random, for
//     each span anew, so that its mean is the weight. It is for backends that count in
//     whole numbers. Rounding to the nearest would count 5 recipients, of whom 3 were
//     sampled, as 6.
//   - waybill.fanout.probability (double): the share of the recipients of the nearest
//     fan-out above that were sampled. Only if the depth is 1, it is one over the weight. A
//     slow handling that is counted as a stratum has it too.
//   - waybill.fanout.size (int): the number of recipients of the nearest fan-out above.
//   - waybill.fanout.depth (int): the number of fan-outs above the span.
//
// On the span of a broadcast, whose weight, probability and depth are about the fan-outs
// above it:
//
//   - waybill.fanout.size (int): the number of its own recipients. This and the following
//     are exact: no estimate is needed.
//   - waybill.fanout.sampled (int): how many of the recipients are sampled.
//   - waybill.fanout.method (string): how they were chosen: "all", "uniform", "systematic",
//     by the sizes of relays, or "bernoulli", each by itself.
//   - waybill.fanout.budget (int): how many may be sampled behind all relays. It is absent
//     if there are no relays.
//   - waybill.fanout.delivered and waybill.fanout.refused (int): how many recipients
//     accepted the message, and how many refused it.
//   - waybill.fanout.shed (boolean): a cap took effect, and nobody was sampled. No span
//     stands for the recipients. It is absent otherwise.
//
// On the span of a message:
//
//   - waybill.queue.duration (double): how many seconds the message waited in the mailbox,
//     until its handling began or it ended there.
//   - waybill.late.reason (string): see above.
//   - waybill.late.probability (double): the share of the slow handlings that count, if not
//     all do. The weight already includes it.
//
// # Backends
//
// Any backend that can sum an attribute can use the weight. The page docs/backends.md in the
// repository says how for the Collector, ClickHouse, ClickStack, Tempo and Honeycomb.
//
// # Cost and concurrency
//
// [Spans] keeps every span that it is given, and is not safe for concurrent use. A [Sample]
// that it returns does not change, and several goroutines may use it at once. Each estimate
// takes time in proportion to the number of spans. A quantile sorts them.
package estimate
