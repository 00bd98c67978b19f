// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package propagate carries traces over HTTP, gRPC and whatever else has
// headers, and spends next to nothing on those that nobody records.
//
// Most requests of a sampled service belong to unsampled traces, yet OTel's
// propagators parse all of their headers. [SampledFirst] reads the sampled flag
// first, and the rest only if the flag is set. Every instrumentation that takes
// a [propagation.TextMapPropagator] can use it:
//
//	otel.SetTextMapPropagator(propagate.NewSampledFirst())
//
// or, by hand, at either end:
//
//	propagator := propagate.NewSampledFirst()
//
//	propagator.Inject(ctx, propagation.HeaderCarrier(request.Header))
//	ctx = propagator.Extract(ctx, propagation.HeaderCarrier(request.Header))
//
// To know no more than whether a request is traced, [PeekHeader] looks at its
// headers and [Peek] at a traceparent. [ParseTraceparent] is the strict parser
// by itself. All follow W3C Trace Context level 2; where OTel's propagator is
// laxer (it takes a dash after the 55 bytes of version 00) or stricter (it
// refuses version 00 with flags that the standard reserves), these do as the
// standard says.
//
// # Unsampled traces
//
// By default an unsampled trace goes on by its identifiers alone, and the
// receiver's parent-based sampler stays silent. [WithoutUnsampled] drops them
// too. That is dangerous wherever a receiver may start traces of its own: a
// ratio sampler makes a new sampled root of requests whose sender had decided
// not to trace, and behind a reverse proxy the header of somebody else may take
// the place of the one that was dropped. For the same reason Inject always
// overwrites or deletes what a carrier held before.
//
// Baggage goes with the trace: that of an unsampled one stays behind, in both
// directions. Where the application depends on its baggage, use OTel's
// propagators.
//
// # Errors
//
// Extraction and injection never fail. What is malformed counts as absent,
// never as unsampled, and [SampledFirst.Counts] tells how often that was.
// ParseTraceparent returns [ErrMalformed].
//
// # Concurrency and ownership
//
// Everything here may be used by any number of goroutines at the same time,
// except that a carrier belongs to one call at a time. Carriers are not kept.
// The strings in an extracted context are the carrier's own, not copies.
//
// # Cost
//
// Peek and PeekHeader allocate nothing and take some tens of nanoseconds. To
// extract an unsampled trace from a [propagation.HeaderCarrier] or a
// [propagation.MapCarrier] costs two allocations, both for the context, and
// none if it is dropped. To inject one costs the string, and for a
// HeaderCarrier the slice that holds it. Other carriers add the cost of their
// own methods.
package propagate
