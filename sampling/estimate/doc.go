// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package estimate tells from the spans that were kept what all of them would
// have shown: how many there were, totals, means and quantiles, each with a
// standard error.
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
// into traces that are linked to them, and through chains that were cut; it leaves out
// what belongs to a broadcast on which a cap took effect, counts what was refused or
// never handled apart, and makes up for the traces that a sampler has not kept.
//
// The rest of this page tells what it does, and how to do it by hand.
//
// # Estimates
//
// The weight w of a span is one over the probability with which it was kept, so
// [Sample.Count] Σw, [Sample.Total] Σwy and [Sample.Above] are unbiased (Horvitz
// and Thompson, 1952). [Sample.Mean] is Σwy/Σw, and [Sample.Quantile] inverts the
// weighted distribution (Hájek, 1971); their bias is far below their standard
// error unless there are only a few spans.
//
// Weights begin at 1 at the root of a trace. A sampler that keeps a share of all
// traces is not in them: then Count, Total and Above are those of the traces that
// were kept, means and quantiles are right, and standard errors leave out what
// the choice of traces adds. To have all traces in totals, multiply the weight of
// each span by one over that share, and have its trace's ID be the key of its only
// stage, without sizes: then each trace is one draw.
//
// # Standard errors
//
// They say how far an estimate may be off because some recipients were chosen and
// others not, and of nothing else. If all were, they are 0.
//
//   - For a fan-out whose sizes are known ([Stage]), the variance is that of a
//     total over k of N chosen without replacement, N²(1-k/N)s²/k, with s² of all
//     k, those that show up in no observation being zeros (Cochran, Sampling
//     Techniques, 1977, chapter 2). Fan-outs add up as strata do (chapter 5). Of
//     fan-outs below fan-outs each stage adds its part (chapter 11; Raj, 1966).
//   - For all others it is Σ(wy)²: that of draws with replacement (Hansen and
//     Hurwitz, 1943), but without their centre, because a sample of some sort of
//     spans does not know how many others were chosen. In the mean that is never
//     too small for a total, of one fan-out or of several. In the tests it makes
//     the standard error of a total 1.6 times the true one, that of a mean 1.03
//     times, and more where fan-outs are small. It is too small if observations
//     of one draw are added as if they were many: spans of one recipient,
//     recipients of one relay. A stage makes them one draw.
//   - A recipient that was chosen alone, of several, is such a draw too.
//   - Observations of weight 1 are there for certain, and add nothing.
//   - Mean and Quantile use the same on deviations from themselves
//     (linearisation), Quantile by way of Woodruff's interval (1952).
//
// Intervals use Student's distribution with Satterthwaite's degrees of freedom
// (1946). They assume that the estimate is about normal. Where few were chosen
// and values are skewed it is not: of one log-normal broadcast of 10,000 with 10
// chosen, nine in ten intervals hold the true total.
//
// # Late spans
//
// A span with the attribute waybill.late.reason was made when all was over, or
// was marked then. Its weight says whether it counts: an exemplar has weight 0.
// With sampling.Late.Stratum slow handlings are counted as a stratum of their
// own, with the weight of the fan-outs above the last, 1 if there are none,
// whether the choice fell on them or not. Both kinds are told apart by the weight
// alone, so Add needs no help. To say exactly how many were slow, count those of
// that reason alone. Where there are more slow ones than there may be late spans,
// a share of them counts, each for as many more (waybill.late.probability):
// estimates stay unbiased, and say how many were slow within a standard error,
// which [StageOf] sees to ([Stage]).
//
// # Broadcasts that shed
//
// If a cap took effect on a broadcast (sampling.ShedKey), none of its recipients was
// chosen, and nothing stands for them. Leave out what late spans there are below,
// and say so of what you compare the estimate with. The broadcast may be a relay's,
// in a trace where others are complete: go by the spans of all broadcasts.
//
//	if estimate.IsShed(span.Attributes()) {
//		s.Shed(span.SpanContext().SpanID().String())
//	}
//
// # Attributes
//
// On the spans of a chosen recipient, and all that follow from it:
//
//   - waybill.fanout.weight (double): how many the span stands for, all fan-outs
//     above it multiplied. Absent means 1, and 0 an exemplar.
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
//     absent otherwise. Leave the broadcast out: [Weight] does for its own span,
//     [Sample.Shed] for its recipients.
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
// Any backend that can sum an attribute can use the weight. What follows was
// checked against the documents and sources of these projects as of 2026; look
// whether your version has changed. In all of them, an exemplar that nobody
// filters out counts as 1.
//
// OpenTelemetry Collector. The span metrics connector reads no attribute: it
// counts each span once, or by the th of the tracestate if there is one, and
// there is none below a choice. The signal to metrics connector takes an
// expression, so it can use the weight. Histograms have whole counts, sums need
// not. (Older versions call it signaltometrics.)
//
//	processors:
//	  transform:
//	    trace_statements:
//	      - context: span
//	        statements:
//	          - set(attributes["waybill.fanout.weight"], 1.0) where attributes["waybill.fanout.weight"] == nil
//	          - set(attributes["waybill.fanout.rounded_weight"], 1) where attributes["waybill.fanout.rounded_weight"] == nil
//	connectors:
//	  signal_to_metrics:
//	    spans:
//	      - name: handlings
//	        attributes: [{key: waybill.process.kind}]
//	        sum: {value: 'Double(attributes["waybill.fanout.weight"])'}
//	      - name: handling.duration
//	        unit: s
//	        attributes: [{key: waybill.process.kind}]
//	        histogram:
//	          buckets: [0.001, 0.01, 0.1, 1, 10]
//	          count: 'Int(attributes["waybill.fanout.rounded_weight"])'
//	          value: 'Seconds(end_time - start_time)'
//
// Seconds is a double there. Send broadcasts that shed elsewhere, by a filter.
//
// ClickHouse, in the tables of the Collector's exporter. Quantiles take whole
// weights only, so these are in thousandths.
//
//	WITH if(mapContains(SpanAttributes, 'waybill.fanout.weight'),
//	        toFloat64OrZero(SpanAttributes['waybill.fanout.weight']), 1) AS w
//	SELECT sum(w) AS handlings,
//	       sum(w * Duration) / sum(w) / 1e9 AS mean_seconds,
//	       quantileExactWeighted(0.99)(Duration, toUInt64(round(w * 1000))) / 1e9 AS p99_seconds,
//	       sumIf(w, Duration > 5e8) AS slow,
//	       sqrt(sumIf(w * w, w > 1 AND Duration > 5e8)) AS slow_stderr
//	FROM otel_traces
//	WHERE SpanName = 'session MessageCreate' AND w > 0
//
// ClickStack has a sample rate expression for each source. It takes whole numbers
// and makes 1 of all else:
//
//	toUInt64OrZero(SpanAttributes['waybill.fanout.rounded_weight'])
//
// Grafana Tempo. span_multiplier_key of the metrics generator (span metrics and
// service graphs) names a double that is the share kept, not the weight: to name
// waybill.fanout.weight would divide where it should multiply. Give it an
// attribute of your own, made in the Collector:
//
//	set(attributes["sampling.ratio"], 1.0 / attributes["waybill.fanout.weight"]) where attributes["waybill.fanout.weight"] > 0.0
//
// and drop exemplars by filter_policies. TraceQL metrics can sum the weight of
// spans that have one; their quantiles count each span once.
//
//	{ name = "session MessageCreate" && span.waybill.fanout.weight > 0 } | sum_over_time(span.waybill.fanout.weight)
//
// Honeycomb multiplies by the span attribute SampleRate, a whole number; it makes
// 1 of 0, so filter exemplars out:
//
//	set(attributes["SampleRate"], attributes["waybill.fanout.rounded_weight"]) where attributes["waybill.fanout.rounded_weight"] > 0
//
// # Cost and concurrency
//
// A [Sample] keeps every observation. Add takes constant time, each estimate time
// in proportion to the number of observations, and a quantile sorts them. It is
// not safe for concurrent use; goroutines and collectors each have their own and
// merge them in the end. [Weight] and [StageOf] may be called from anywhere; they
// keep nothing and allocate nothing.
package estimate
