// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package observe reports figures that the library counts anyway as OpenTelemetry
// metrics. They are read when somebody collects them, and cost nothing in between.
package observe

import (
	"context"
	"errors"
	"math"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Counter describes a figure of a snapshot S. The figure never falls.
type Counter[S any] struct {
	Name        string // The name of the metric: waybill.<package>.<what>.
	Unit        string // Of what is counted, in braces, such as {message}.
	Description string
	Value       func(S) uint64
}

var errNoMeter = errors.New("no meter")

// Counters makes an observable counter for each figure. Every collection calls read
// once, from any goroutine, and reports the figures of that snapshot with attrs, until
// the result is unregistered. It returns an error from the meter, or if there is no
// meter, or if r has the same registration already. Then nothing is registered.
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
