// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package propagate carries traces over HTTP, gRPC and whatever else has
// headers, and spends next to nothing on those that nobody records.
//
// There are two propagators, and every instrumentation that takes a
// [propagation.TextMapPropagator] can use either. [TraceContext] is the
// standard in full, and carries every trace. [SampledFirst] reads the sampled
// flag first, and the rest only if the flag is set: most requests of a sampled
// service belong to unsampled traces, yet OTel's propagators parse all of their
// headers.
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
// by itself.
//
// # Trace Context
//
// All of these follow W3C Trace Context level 2, and a service that uses
// TraceContext does what all 41 cases of the W3C's validation suite ask for, at
// its strictest setting. OTel's propagator differs in seven of them:
//
//   - A traceparent that is there twice is none; OTel's reads the first.
//   - Several tracestate headers are one list, in their order, and empty ones
//     mean nothing; OTel's reads the first.
//   - A key may begin with a digit and have at signs anywhere else, up to 256
//     characters in all. OTel's refuses the whole tracestate for "1st", "foo@"
//     or "foo@@bar", and [trace.TraceState] has no room for them. Such members
//     travel beside it, bound to their trace, in the context and in the
//     envelopes made from it, and go out again in their place. A sampler does
//     not see them.
//   - Of several members with one key, the first stays, which is the latest by
//     the standard's order; OTel's refuses the whole tracestate.
//   - There may be 32 members, over all headers. More than that arriving are
//     refused. More than that going out, since a sampler added some, are cut at
//     the end.
//
// OTel's takes a dash after the 55 bytes of version 00, which is malformed,
// and refuses version 00 with flags that the standard reserves, which it is
// not: they are cleared on the way.
//
// What is refused is counted. A tracestate that is refused leaves the
// traceparent alone; without a traceparent no tracestate is read. What changes
// in a tracestate stands in front of it, and the rest keeps its order.
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
// directions. Where the application depends on its baggage, use propagators
// that read each for itself, [Baggage] among them.
//
// # Baggage
//
// [Baggage] reads and writes W3C Baggage wherever OTel's propagator does, and
// can be told which keys may pass and how much of it. [WithBaggage] tells the
// same to a SampledFirst. What arrives replaces what the context had; where
// nothing arrives, or nothing that may pass, the context keeps what it had. So
// extract each message on a context that has seen no other.
//
// # Boundaries
//
// A traceparent is a claim of whoever sent it. A caller who is believed can
// have every request of its recorded, at the expense of others, or none; can
// hang its requests below any trace whose identifiers it knows; and can state,
// in the member of the tracestate that sampling has for this, that one span
// stands for thousands. So a [Boundary] decides for each listener, by a [Policy]:
// [Continue] the caller's trace, [Link] to it from a new one, or [Ignore] it.
//
// Behind a proxy that is open to the public, such as nginx, Envoy or the load
// balancer of a cloud, what counts is who may have written the headers, not who
// opened the connection:
//
//   - Most proxies pass traceparent, tracestate and baggage on as they came
//     from the client, unless they are told otherwise. Some, with tracing
//     switched on, continue the client's trace, which is the same to those
//     behind them. A listener that such a proxy leads to is public.
//   - A proxy that starts a trace for each request, overwriting traceparent and
//     deleting tracestate, speaks for itself. Its listener may continue, as
//     long as nobody reaches it by another way. Baggage is a header of its own:
//     unless the proxy deletes it too, it is the client's.
//   - Proxies may join repeated headers or split them, drop some of them, and
//     refuse what is beyond a size of their own, often 8 KB for a line or for
//     all headers. A traceparent that was sent twice may arrive as one that is
//     malformed. All of that is read as the standards say: it may cost the
//     caller its trace, but the request goes on.
//
// At the public listener, with the instrumentation of net/http:
//
//	headers := propagation.NewCompositeTextMapPropagator(
//		propagate.TraceContext{},
//		propagate.Baggage{Allow: []string{"tenant"}, MaxBytes: 1024},
//	)
//	boundary := propagate.NewBoundary(propagate.Link, headers)
//	provider := boundary.TracerProvider(otel.GetTracerProvider())
//	handler = otelhttp.NewHandler(handler, "api",
//		otelhttp.WithPropagators(boundary), otelhttp.WithTracerProvider(provider))
//
// and with an empty Allow, or without Baggage, if nothing in there is for
// strangers to set. At the internal listener, on a port or an address that the
// public cannot reach, nothing is to be set: the global propagator continues.
// One service may have both; trust belongs to the listener and never to
// something in the request. Clients that call the services of others need a
// boundary in the other direction: an Allow for the baggage that may leave, and,
// if identifiers are not to leave either, no propagator of traces at all.
//
// A boundary stands at HTTP, gRPC and whatever else has headers by being the
// propagator of a listener. Bytes that package envelope/wire reads have the trace inside
// the message, beside claims that no header makes: hops and age of a chain, and when
// the message was sent. There the same boundary is the Boundary of the wire.Config,
// which then believes those as far as the boundary believes the trace:
//
//	frames := wire.Config[Event]{Form: wire.JSON, Boundary: boundary}
//
// A WebSocket has both: the boundary of the listener for the request that opens it,
// and the Boundary of a wire.Config for each message.
//
// # Carriers
//
// All libraries hold headers in types of a few kinds. For each kind there is a
// function that makes carriers. It takes the plain map or list, so that nothing has
// to be imported or converted:
//
//   - [HeaderCarrier] for http.Header and textproto.MIMEHeader,
//   - [MetadataCarrier] for metadata.MD of gRPC and nats.Header,
//   - [MapCarrier] for message.Metadata of Watermill,
//   - [TableCarrier] for amqp.Table,
//   - [PairsCarrier] for lists of key and value, such as []kgo.RecordHeader.
//
// The carriers show repeated values, and read both usual spellings of a key. What
// they write replaces the key in every spelling. Behind otelgrpc, repeated values are
// seen only with the handler of package propagate/grpcheaders, a module of its own.
//
// # Counters
//
// What is refused, left out, linked or ignored is counted: in [DefaultCounters]
// by propagators that were not given [Counters] of their own, and by a
// SampledFirst in itself. [Counters.Counts] and [SampledFirst.Counts] read the
// figures; [Counters.RegisterMetrics] and [SampledFirst.RegisterMetrics] report them as
// OpenTelemetry metrics.
//
// # Errors
//
// Extraction and injection never fail. What is malformed counts as absent,
// never as unsampled, and the counters tell how often that was.
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
// extract a trace from a [propagation.HeaderCarrier] or a
// [propagation.MapCarrier] costs two allocations, both for the context, and none if
// [SampledFirst] drops it. A tracestate costs nothing more as long as the same one
// keeps coming, since both propagators remember up to 128 of at most 512 bytes; any
// other costs what OTel's parser does. Members beside it cost two allocations.
//
// To inject a traceparent or a tracestate costs a string, and for a
// HeaderCarrier the slice that holds it. A carrier whose values are bytes can
// have a method SetBytes(key string, value []byte), which must do what Set does
// and may keep the value: then no string is made. Other carriers add the cost
// of their own methods.
package propagate
