// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package durable

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/observe"
	"github.com/waybill-go/waybill/internal/scope"
	"github.com/waybill-go/waybill/mailbox/internal/notify"
	"github.com/waybill-go/waybill/mailbox/internal/spans"
)

// Queue publishes messages of type M to a stream, and has processes handle those that are in
// it. Make one with [New]. Any number of goroutines may use it.
type Queue[M any] struct {
	js     jetstream.JetStream
	config Config[M]
	tracer *spans.Tracer
	tally  observe.Tally[Stats]
	log    *notify.Queue[record]
	logged limits
}

// New makes a queue. It does not talk to the server, and there is nothing to close. The
// connection of js is the caller's, as are its options: credentials, TLS, reconnects. It
// should be one that never gives up to reconnect ([nats.MaxReconnects]). The error wraps
// [ErrConfig].
func New[M any](js jetstream.JetStream, config Config[M]) (*Queue[M], error) {
	if js == nil {
		return nil, fmt.Errorf("%w: no JetStream", ErrConfig)
	}
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	q := &Queue[M]{js: js, config: config}
	q.tracer = spans.New(header.Untraced(context.Background()),
		scope.Tracer(config.TracerProvider, "mailbox/remote/durable"), spans.ChainLimit{})
	q.log = notify.New(func(r record) {
		logger := config.Logger
		if logger == nil {
			logger = slog.Default()
		}
		r.write(logger)
	})
	return q, nil
}

// Stats returns the counts of all consumers that were made with the queue.
func (q *Queue[M]) Stats() Stats { return q.tally.Load(figures) }

// RegisterMetrics reports the counts of [Stats] as OpenTelemetry metrics until the result is
// unregistered. Every measurement has attrs; queues that share a meter need attributes that
// tell them apart. It returns an error from the meter, or if there is none.
func (q *Queue[M]) RegisterMetrics(meter metric.Meter, attrs ...attribute.KeyValue) (metric.Registration, error) {
	return q.tally.Register(meter, figures, attrs)
}
