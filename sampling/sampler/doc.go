// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package sampler wraps a sampler of the OpenTelemetry SDK, for the little that
// only a sampler can do:
//
//	provider := trace.NewTracerProvider( // of go.opentelemetry.io/otel/sdk/trace
//		trace.WithSampler(sampler.Wrap(trace.ParentBased(trace.TraceIDRatioBased(0.01)))),
//		trace.WithBatcher(exporter),
//	)
//
// The rest of the library works without it. The wrapper is the outermost sampler;
// only the SDK's AlwaysRecord, if at all, goes around it.
//
// # What it adds
//
//   - A span that is started with a context of [github.com/waybill-go/waybill/sampling.Force] is recorded and
//     sampled. Without the wrapper, the request does nothing: a late root of a trace
//     that was not sampled is a root like any other.
//   - Below the sentinel of untraced messages (package envelope), nothing is sampled,
//     that of another service included. Without the wrapper this takes a parent-based
//     sampler, or a ratio sampler below 99 %; AlwaysSample records what is started
//     there, each span with its children as a trace of its own.
//   - Below a sampled recipient of a fan-out, users' own spans get
//     waybill.fanout.weight and the attributes beside it, as those of mailboxes have
//     them anyway. Without the wrapper those spans are there, and say nothing of what
//     they stand for. One that is started with waybill.fanout.weight is left as it is,
//     and what else a span is started with goes before.
//   - The tracestate of a trace goes on if the wrapped sampler returns an empty one,
//     as samplers do that forget it. Without the wrapper the weight is lost there, and
//     what other vendors keep in the tracestate as well.
//
// All other decisions are those of the wrapped sampler: those on roots, also on
// those with a given trace ID (their parent has no span ID), and those on children
// of unsampled spans that are not below the sentinel.
//
// A forced span is told nothing else: it keeps its parent's tracestate and does
// not see the wrapped sampler. What is in an incoming tracestate is believed, so
// take it from trusted peers only.
//
// # Concurrency
//
// The wrapper holds the sampler that it wraps, and the attributes of a few fan-outs;
// it may be used by any number of goroutines, as that sampler may.
//
// # Cost
//
// A recording span takes about a tenth longer, one that is not a quarter of its
// short time; what is below the sentinel takes less than without. None of that
// allocates. Below a fan-out, a span costs no more than if it were started with the
// five attributes by hand, as long as the last spans were below the same few
// fan-outs, else a quarter more; the attributes themselves cost the SDK nearly as
// much as the rest of the span. `go test -bench Span` measures all of it beside the
// bare SDK.
package sampler
