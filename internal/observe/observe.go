// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package observe reports figures that the library counts anyway as OpenTelemetry
// metrics. They are read when somebody collects them, and cost nothing in between.
package observe

import (
	"context"
	"errors"
	"math"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

var errNoMeter = errors.New("no meter")

// Counters makes an observable counter for each field in table. Every collection calls
// read once, from any goroutine, and reports the figures of that snapshot with attrs, until
// the result is unregistered. It returns an error from the meter, or if there is no
// meter, or if r has the same registration already. Then nothing is registered.
func Counters[S any](
	r *Registry, meter metric.Meter, read func() S, table []Field[S], attrs []attribute.KeyValue,
) (metric.Registration, error) {
	return Sums(r, meter, func(each func(S, ...attribute.KeyValue)) { each(read()) }, table, attrs)
}

// Sums makes an observable sum for each name in table. Every collection calls
// read once, from any goroutine. read calls each for every snapshot, with the
// attributes that tell the snapshots apart. A figure is reported with those attributes,
// with those of its field, and with attrs. Otherwise Sums is like Counters.
func Sums[S any](
	r *Registry, meter metric.Meter, read func(each func(snapshot S, attrs ...attribute.KeyValue)),
	table []Field[S], attrs []attribute.KeyValue,
) (metric.Registration, error) {
	if meter == nil {
		return nil, errNoMeter
	}
	attrs = slices.Clone(attrs)
	byName := make(map[string]metric.Int64Observable, len(table))
	instruments := make([]metric.Observable, 0, len(table))
	for _, f := range table {
		if byName[f.name] != nil {
			continue
		}
		instrument, err := f.instrument(meter)
		if err != nil {
			return nil, err
		}
		byName[f.name] = instrument
		instruments = append(instruments, instrument)
	}
	return r.once(meter, attribute.NewSet(attrs...), func() (metric.Registration, error) {
		return meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
			read(func(snapshot S, own ...attribute.KeyValue) {
				for _, f := range table {
					all := slices.Concat(attrs, own, f.attrs)
					o.ObserveInt64(byName[f.name], int64(min(f.value(snapshot), math.MaxInt64)),
						metric.WithAttributeSet(attribute.NewSet(all...)))
				}
			})
			return nil
		}, instruments...)
	})
}
