// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package observe shows figures that the library keeps anyway as OpenTelemetry
// metrics: they are read when somebody collects, and cost nothing in between.
package observe

import (
	"context"
	"errors"
	"math"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Counter describes one figure of a snapshot S that only ever grows.
type Counter[S any] struct {
	Name        string // As the metric is called: waybill.<package>.<what>.
	Unit        string // Of what is counted, in braces, such as {message}.
	Description string
	Value       func(S) uint64
}

var errNoMeter = errors.New("no meter")

// Counters makes an observable counter of each of the figures. Every collection
// takes one snapshot for all of them by read, which any goroutine may call at
// any time, and reports it with attrs, until the result is unregistered. After
// an error nothing is registered: from the meter, without one, or if r has the same
// already.
func Counters[S any](
	r *Registry, meter metric.Meter, read func() S, figures []Counter[S], attrs []attribute.KeyValue,
) (metric.Registration, error) {
	if meter == nil {
		return nil, errNoMeter
	}
	counters := make([]metric.Int64ObservableCounter, len(figures))
	instruments := make([]metric.Observable, len(figures))
	for i, f := range figures {
		counter, err := meter.Int64ObservableCounter(f.Name,
			metric.WithUnit(f.Unit), metric.WithDescription(f.Description))
		if err != nil {
			return nil, err
		}
		counters[i], instruments[i] = counter, counter
	}
	set := attribute.NewSet(attrs...)
	return r.once(meter, set, func() (metric.Registration, error) {
		return meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
			snapshot := read()
			for i, f := range figures {
				o.ObserveInt64(counters[i], int64(min(f.Value(snapshot), math.MaxInt64)), metric.WithAttributeSet(set))
			}
			return nil
		}, instruments...)
	})
}
