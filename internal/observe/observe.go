// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package observe reports figures that the library counts anyway as OpenTelemetry
// metrics. They are read when somebody collects them, and cost nothing in between.
package observe

import (
	"context"
	"errors"
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
	return All(r, meter, attrs, From(read, table))
}

// All is Sums for several sources, which are read one after the other.
func All(r *Registry, meter metric.Meter, attrs []attribute.KeyValue, sources ...Source) (metric.Registration, error) {
	if meter == nil {
		return nil, errNoMeter
	}
	attrs = slices.Clone(attrs)
	var instruments []metric.Observable
	reports := make([]report, 0, len(sources))
	for _, s := range sources {
		made, report, err := s(meter)
		if err != nil {
			return nil, err
		}
		instruments, reports = append(instruments, made...), append(reports, report)
	}
	return r.once(meter, attribute.NewSet(attrs...), func() (metric.Registration, error) {
		return meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
			for _, report := range reports {
				report(o, attrs)
			}
			return nil
		}, instruments...)
	})
}

// Source is where figures of one type come from. It makes their instruments.
type Source func(metric.Meter) ([]metric.Observable, report, error)

// report reads the figures and reports them with attrs.
type report func(o metric.Observer, attrs []attribute.KeyValue)

// From returns the source of what read yields. Sums says what read and table are.
func From[S any](read func(each func(snapshot S, attrs ...attribute.KeyValue)), table []Field[S]) Source {
	return func(meter metric.Meter) (instruments []metric.Observable, _ report, err error) {
		byName := make(map[string]metric.Observable, len(table))
		for _, f := range table {
			if byName[f.name] != nil {
				continue
			}
			instrument, err := f.instrument(meter)
			if err != nil {
				return nil, nil, err
			}
			byName[f.name] = instrument
			instruments = append(instruments, instrument)
		}
		return instruments, func(o metric.Observer, attrs []attribute.KeyValue) {
			read(func(snapshot S, own ...attribute.KeyValue) {
				for _, f := range table {
					f.observe(o, byName[f.name], snapshot, attribute.NewSet(slices.Concat(attrs, own, f.attrs)...))
				}
			})
		}, nil
	}
}

// Of returns a table of the fields in table, for structs that have an S in them.
func Of[T, S any](part func(T) S, table []Field[S]) []Field[T] {
	fields := make([]Field[T], len(table))
	for i, f := range table {
		fields[i] = Field[T]{name: f.name, unit: f.unit, description: f.description, falls: f.falls, attrs: f.attrs}
		if f.gauge != nil {
			fields[i].gauge = func(t T) float64 { return f.gauge(part(t)) }
		} else {
			fields[i].value = func(t T) uint64 { return f.value(part(t)) }
		}
	}
	return fields
}
