// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote/internal/subject"
)

// Option configures [NewNode].
type Option interface{ applyNode(*settings) }

type nodeOption func(*settings)

func (o nodeOption) applyNode(s *settings) { o(s) }

// settings are what a node is made with.
type settings struct {
	id, prefix string
	limits     Limits
	boundary   propagation.TextMapPropagator
	provider   trace.TracerProvider
	logger     *slog.Logger
	logs       bool // The user has given the logger, which may be nil.
	meters     metric.MeterProvider
	attrs      []attribute.KeyValue
}

// WithID sets the node's ID. No two nodes that are connected may have the same. By default it
// is a random one.
func WithID(id string) Option { return nodeOption(func(s *settings) { s.id = id }) }

// WithPrefix sets what the subjects begin with that nodes use among themselves, "waybill" by
// default. All nodes must have the same. Subjects of [Serve] and [NewRef] do not have it.
func WithPrefix(prefix string) Option { return nodeOption(func(s *settings) { s.prefix = prefix }) }

// WithLimits sets the node's limits.
func WithLimits(limits Limits) Option { return nodeOption(func(s *settings) { s.limits = limits }) }

// WithBoundary has boundary decide what is believed of the traces and the baggage of messages
// that come in: see package propagate and its Boundary. It is for subjects to which strangers
// may write. Without it, and with nil, other machines are believed, within bounds.
func WithBoundary(boundary propagation.TextMapPropagator) Option {
	return nodeOption(func(s *settings) { s.boundary = boundary })
}

// WithTracerProvider sets where the spans of calls to other machines are made. By default, and
// if provider is nil, each is made by the provider that is the global one when it starts.
func WithTracerProvider(provider trace.TracerProvider) Option {
	return nodeOption(func(s *settings) { s.provider = provider })
}

// WithLogger sets where the node tells what was lost, and why: at most one record a second for
// each reason, which says how many there were. A logger that blocks holds nothing up. With a
// nil logger nothing is written. The default is [slog.Default].
func WithLogger(logger *slog.Logger) Option {
	return nodeOption(func(s *settings) { s.logger, s.logs = logger, true })
}

// WithMeterProvider reports the node's counts as metrics, as [Node.RegisterMetrics] does, for
// as long as the provider lives. Every measurement has attrs; nodes that share a provider need
// attributes that tell them apart. An error goes to OpenTelemetry's error handler.
func WithMeterProvider(provider metric.MeterProvider, attrs ...attribute.KeyValue) Option {
	return nodeOption(func(s *settings) { s.meters, s.attrs = provider, slices.Clone(attrs) })
}

func newSettings(opts []Option) (settings, error) {
	s := settings{prefix: "waybill"}
	for _, o := range opts {
		if o != nil {
			o.applyNode(&s)
		}
	}
	if s.id == "" {
		s.id = rand.Text()
	}
	if !s.logs {
		s.logger = slog.Default()
	}
	if err := subject.Check(s.prefix); err != nil {
		return s, fmt.Errorf("%w: prefix: %w", mailbox.ErrConfig, err)
	}
	if _, err := subject.Token(s.id); err != nil {
		return s, fmt.Errorf("%w: ID: %w", mailbox.ErrConfig, err)
	}
	var err error
	s.limits, err = s.limits.withDefaults()
	return s, err
}
