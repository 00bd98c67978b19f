// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package propagate carries traces over HTTP, gRPC and everything else that has
// headers, and spends next to nothing on traces that nobody records.
//
// It has two propagators. Either can be given to any instrumentation that takes a
// [propagation.TextMapPropagator]. [TraceContext] is the standard in full, and carries
// every trace. [SampledFirst] reads the sampled flag first, and the rest only if the
// flag is set. Most requests of a sampled service belong to unsampled traces, and OTel's
// propagators parse all of their headers.
//
//	otel.SetTextMapPropagator(propagate.SampledFirst{})
//
// or, by hand, at either end:
//
//	var propagator propagate.SampledFirst
//
//	propagator.Inject(ctx, propagation.HeaderCarrier(request.Header))
//	ctx = propagator.Extract(ctx, propagation.HeaderCarrier(request.Header))
//
// [PeekHeader] tells from the headers of a request only whether it is traced, and [Peek]
// from a traceparent. [ParseTraceparent] is the strict parser alone.
//
// Propagators and boundaries are structs. Their zero values are ready, and a field that
// is zero means the default.
//
// # Trace Context
//
// All of this follows W3C Trace Context level 2. A service that uses TraceContext does
// what all 41 cases of the W3C's validation suite ask for, at its strictest setting.
// OTel's propagator differs in seven of them:
//
//   - A traceparent that is there twice counts as absent. OTel's reads the first.
//   - Several tracestate headers are one list, in their order, and empty headers mean
//     nothing. OTel's reads the first.
//   - A key may begin with a digit and have at signs anywhere else, up to 256
//     characters in all. OTel's refuses the whole tracestate for "1st", "foo@" or
//     "foo@@bar", and [trace.TraceState] cannot hold them. Such members travel beside
//     it, bound to their trace, in the context and in the envelopes made from it, and
//     go out again in their place. A sampler does not see them.
//   - Of several members with one key the first stays, which is the latest by the
//     standard's order. OTel's refuses the whole tracestate.
//   - There may be 32 members, over all headers. If more arrive, all are refused. If
//     more would go out, because a sampler added some, the last ones are left out.
//
// OTel's accepts a dash after the 55 bytes of version 00, which is malformed. It refuses
// version 00 with flags that the standard reserves, which is not; they are cleared on the
// way.
//
// What is refused is counted. If the tracestate is refused, the traceparent still counts.
// Without a traceparent no tracestate is read. A member that changes moves to the front
// of its tracestate, and the others keep their order.
//
// # Unsampled traces
//
// By default SampledFirst passes on only the identifiers of an unsampled trace. The
// parent-based sampler of the receiver then records nothing. With DropUnsampled it passes
// on nothing. That is dangerous where a receiver may start traces of its own: a ratio
// sampler makes a new sampled root for a request whose sender had decided not to trace
// it, and behind a reverse proxy somebody else's header may take the place of the dropped
// one. For the same reason Inject always overwrites or deletes what a carrier held before.
//
// SampledFirst treats baggage as the trace: it leaves the baggage of an unsampled trace
// behind, in both directions. If the application depends on its baggage, use a composite
// of TraceContext and [Baggage], which read each for itself.
//
// # Baggage
//
// [Baggage] reads and writes W3C Baggage as OTel's propagator does. Its fields say which
// keys may pass and how many bytes. A SampledFirst has a field for one. The baggage that
// arrives replaces the baggage of the context. If nothing arrives, or nothing that may
// pass, the context keeps what it had. So extract each message on a context that has seen
// no other message.
//
// # Boundaries
//
// Whoever sends a traceparent claims something. A caller who is believed can have every
// request of its own recorded, at the expense of others, or none. It can put its requests
// below any trace whose identifiers it knows. It can state, in the member of the
// tracestate that sampling has for this, that one span stands for thousands. So each
// listener has a [Boundary] with a [Policy]: to [Continue] the caller's trace, to [Link] a
// new trace to it, or to [Ignore] it.
//
// Behind a proxy that is open to the public, such as nginx, Envoy or the load balancer of
// a cloud, ask who may have written the headers, not who opened the connection:
//
//   - Most proxies pass traceparent, tracestate and baggage on as they came from the
//     client, unless they are told otherwise. Some, with tracing switched on, continue
//     the client's trace, which is the same to a service behind them. A listener behind
//     such a proxy is public.
//   - A proxy that starts a trace for each request, overwrites traceparent and deletes
//     tracestate, speaks for itself. A listener behind it may continue its traces, if
//     nobody reaches the listener by another way. Baggage is a header of its own: if the
//     proxy does not delete it too, it is the client's.
//   - Proxies may join or split repeated headers, drop some of them, and refuse headers
//     beyond a size of their own, often 8 KB for a line or for all headers. A traceparent
//     that was sent twice may arrive as one that is malformed. All of that is read as the
//     standards say: the caller may lose its trace, but the request goes on.
//
// At the public listener, with the instrumentation of net/http:
//
//	boundary := propagate.Boundary{
//		Policy: propagate.Link,
//		Propagator: propagation.NewCompositeTextMapPropagator(
//			propagate.TraceContext{},
//			propagate.Baggage{Allow: []string{"tenant"}, MaxBytes: 1024},
//		),
//	}
//	provider := boundary.TracerProvider(otel.GetTracerProvider())
//	handler = otelhttp.NewHandler(handler, "api",
//		otelhttp.WithPropagators(boundary), otelhttp.WithTracerProvider(provider))
//
// If strangers may set no baggage at all, leave Baggage out, or make its Allow an empty
// list. At the internal listener, on a port or an address that the public cannot reach,
// nothing has to be set: the global propagator continues. One service may have both
// listeners. Trust belongs to the listener, never to something in the request.
//
// Clients that call the services of others need a boundary in the other direction: an Allow
// for the baggage that may leave, and, if identifiers must not leave, no propagator of
// traces at all.
//
// A boundary is used as the propagator of a listener, at HTTP, gRPC and everything else
// that has headers. In bytes that package envelope/wire reads, the trace is inside the
// message, beside claims that no header makes: hops and age of a chain of messages, and
// the time of sending. There the same boundary is the field Boundary of a wire.Config,
// which believes those claims as far as the boundary believes the trace:
//
//	frames := wire.Config[Event]{Form: wire.JSON, Boundary: boundary}
//
// A WebSocket needs both: the boundary of the listener for the request that opens it, and
// the Boundary of a wire.Config for each message.
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
// For the environment variables of a program that is started, use the carrier of OTel's
// package go.opentelemetry.io/contrib/propagators/envcar.
//
// The carriers show repeated values, and read both usual spellings of a key: in lower
// case, and as net/http spells it. Where a relay copies old headers and another writer
// adds new ones, a key may come in both spellings with two values. Nobody can tell which
// one is meant, so the key counts as repeated: it is absent, and counted as refused. This
// holds for every carrier that lets the propagators see both, also for those of other
// packages. The same value in both spellings is one value. What the carriers write
// replaces the key in every spelling. Behind otelgrpc, repeated values are
// seen only with the handler of package propagate/grpcheaders, a module of its own.
//
// # Counters
//
// What is refused, left out, linked or ignored is counted by [Counters]: by those in the
// field of that name, or by [DefaultCounters] if it is nil. [Counters.RegisterMetrics]
// reports the figures as OpenTelemetry metrics, and [Counters.Counts] returns their sums.
// Give the propagators of a listener counters of its own to tell it from the others.
//
// # Errors
//
// Extraction and injection never fail. What is malformed counts as absent, never as
// unsampled, and the counters tell how often that was. ParseTraceparent returns
// [ErrMalformed].
//
// # Concurrency and ownership
//
// Any number of goroutines may use everything here at the same time. The exception is a
// carrier, which belongs to one call at a time. Carriers are not kept. The strings in an
// extracted context are the carrier's own, not copies.
//
// # Cost
//
// Peek and PeekHeader allocate nothing and take some tens of nanoseconds. To extract a
// trace from a map costs two allocations, both for the context, and none if SampledFirst
// drops it. A tracestate costs nothing more as long as the same one keeps coming, because
// both propagators remember up to 128 of at most 512 bytes. Any other costs what OTel's
// parser costs. Members beside it cost two allocations.
//
// To inject a traceparent or a tracestate costs a string, and in a map of lists the slice
// that holds it. A carrier whose values are bytes may have a method
// SetBytes(key string, value []byte), which must do what Set does and may keep the value.
// Then no string is made. Other carriers add the cost of their own methods.
package propagate
