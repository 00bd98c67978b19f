// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package grpcstream

import (
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
)

// Option configures a [Sender] or a [Receiver]. Each says for which of them it is. The
// other one ignores it.
type Option interface {
	apply(config) config
}

type config struct {
	carry    envelope.CarryPolicy
	boundary propagation.TextMapPropagator
	counters *Counters
	provider trace.TracerProvider
	ownTrace bool
}

type option func(config) config

func (o option) apply(c config) config { return o(c) }

func newConfig(opts []Option) config {
	var c config
	for _, o := range opts {
		if o != nil {
			c = o.apply(c)
		}
	}
	return c
}

// WithCarryPolicy sets what a [Sender] takes along from the context of a message. The
// default is what [envelope.NewHeader] takes: sampled traces and all baggage.
func WithCarryPolicy(policy envelope.CarryPolicy) Option {
	return option(func(c config) config {
		c.carry = policy
		return c
	})
}

// WithBoundary sets what a [Receiver] believes of what its peer says of traces and baggage.
// It is for peers that are not trusted. boundary is a Boundary of package propagate, and
// decides as it does for [github.com/waybill-go/waybill/envelope/wire.Config.Decode]. The
// default believes everything within the limits of package wire.
func WithBoundary(boundary propagation.TextMapPropagator) Option {
	return option(func(c config) config {
		c.boundary = boundary
		return c
	})
}

// WithStreamTrace has a [Receiver] give bare messages the trace and the baggage of the stream,
// instead of the [envelope.Sentinel]. It is for streams whose peers do not use this package
// yet: without it, the spans below their messages would be lost until they do. An untraced
// message of a peer that does is bare too. So leave the option out when they all do, or the
// stream's trace goes on for ever. If the stream is in no trace, the option does nothing.
func WithStreamTrace() Option {
	return option(func(c config) config {
		c.ownTrace = true
		return c
	})
}

// WithCounters sets where a [Sender] or a [Receiver] counts messages. The default is
// [DefaultCounters].
func WithCounters(counters *Counters) Option {
	return option(func(c config) config {
		c.counters = counters
		return c
	})
}

// WithTracerProvider sets the provider of the spans that a [Receiver] makes. By default, and
// if provider is nil, each span is made by the provider that is the global one when it
// starts.
func WithTracerProvider(provider trace.TracerProvider) Option {
	return option(func(c config) config {
		c.provider = provider
		return c
	})
}
