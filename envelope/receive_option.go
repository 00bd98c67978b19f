// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// ReceiveOption configures [Receive], [Handler] and [BatchHandler].
type ReceiveOption interface {
	apply(*receiveConfig)
}

type receiveConfig struct {
	provider trace.TracerProvider
	roots    bool
	ownTrace bool
	end      *error
	debug    bool

	meters     metric.MeterProvider // nil without metrics
	meterAttrs []attribute.KeyValue
}

type receiveOption func(*receiveConfig)

func (o receiveOption) apply(c *receiveConfig) { o(c) }

// WithTracerProvider sets the provider of the spans. By default, and if provider is nil, each
// span is made by the provider that is the global one when it starts.
func WithTracerProvider(provider trace.TracerProvider) ReceiveOption {
	return receiveOption(func(c *receiveConfig) { c.provider = provider })
}

// WithRootSpans lets a message without a trace start one, if the sampler agrees. It is for
// the entry points of a service, whose senders are not traced. It starts no trace where
// somebody has decided against one: for a sender whose trace is not sampled, for the
// recipients that a fan-out skipped, and for messages from a handler that has no trace
// itself. Between programs that decision travels only if the sender's [CarryPolicy] takes
// unsampled traces along. A batch starts a trace if none of its messages was decided.
func WithRootSpans() ReceiveOption {
	return receiveOption(func(c *receiveConfig) { c.roots = true })
}

// WithOwnTrace gives a bare message the trace and the baggage of the context that the loop or
// handler was given, instead of the [Sentinel]. A message is bare if nothing travels with it:
// neither trace, nor baggage, nor the decision of a sender that is not sampled. One that was
// wrapped without a trace in the context is the same as one that was not wrapped. The message
// is handled without a span of its own.
//
// The option is for a receiver below a request that is traced, while senders are still being
// changed: without it, the spans below their bare messages would be lost until they are.
// Leave it out in a loop that serves many requests, because their messages would all end up
// in one trace. If the context is in no trace, the option does nothing. It goes before
// [WithRootSpans]. For a batch, all messages must be bare.
func WithOwnTrace() ReceiveOption {
	return receiveOption(func(c *receiveConfig) { c.ownTrace = true })
}

// WithErr has [Receive] set *err whenever its loop ends: to nil if the channel is closed and
// empty or if the body has left the loop, and to ctx.Err() if ctx has ended first. It tells
// these apart where a look at ctx after the loop cannot, because a context may end just after
// the last message. One loop at a time may use err. Other functions ignore the option.
//
//	var err error
//	for ctx, order := range envelope.Receive(ctx, orders, "ship order", envelope.WithErr(&err)) {
//		ship(ctx, order)
//	}
//	if err != nil {
//		return err // Orders may be left in the channel.
//	}
func WithErr(err *error) ReceiveOption { //nolint:gocritic // It is where to put an error.
	return receiveOption(func(c *receiveConfig) { c.end = err })
}

// WithDebug looks for mistakes that are easy to make, and reports each to OpenTelemetry's error
// handler (otel.SetErrorHandler), once for each place in the code, with its file and line:
//
//   - While a traced message is handled, another message is wrapped or sent with the context
//     from outside, by the goroutine of the handling. It should be the context of the handling.
//     Where the trace is to end on purpose, use [Untraced] of that context.
//   - A context of a traced message's handling is used to wrap or send after the handling has
//     ended. Its span has ended, so the new message seems to come from work that was over.
//   - A tracer provider is set after traced messages were handled. Their spans went to the
//     provider before it, which is one that does nothing if none was set.
//
// It is for tests and for development. With it a traced message costs some microseconds more,
// and so does each send anywhere in the program meanwhile. Without it, nothing costs more than a
// look at a flag.
func WithDebug() ReceiveOption {
	return receiveOption(func(c *receiveConfig) { c.debug = true })
}
