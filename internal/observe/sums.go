// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"context"
	"math"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Sum describes a figure of snapshots S. Several sums may have the same name with
// different attributes.
type Sum[S any] struct {
	Counter[S]

	Falls bool // The figure may fall, as a number of things that exist now does.
	Attrs []attribute.KeyValue
}

// Sums makes an observable sum for each name among the figures. Every collection calls
// read once, from any goroutine. read calls each for every snapshot, with the
// attributes that tell the snapshots apart. A figure is reported with those attributes,
// with its own, and with attrs. Otherwise Sums is like Counters.
func Sums[S any](
	r *Registry, meter metric.Meter, read func(each func(snapshot S, attrs ...attribute.KeyValue)),
	figures []Sum[S], attrs []attribute.KeyValue,
) (metric.Registration, error) {
	if meter == nil {
		return nil, errNoMeter
	}
	attrs = slices.Clone(attrs)
	byName := make(map[string]metric.Int64Observable, len(figures))
	instruments := make([]metric.Observable, 0, len(figures))
	for _, f := range figures {
		if byName[f.Name] != nil {
			continue
		}
		instrument, err := f.instrument(meter)
		if err != nil {
			return nil, err
		}
		byName[f.Name] = instrument
		instruments = append(instruments, instrument)
	}
	return r.once(meter, attribute.NewSet(attrs...), func() (metric.Registration, error) {
		return meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
			read(func(snapshot S, own ...attribute.KeyValue) {
				for _, f := range figures {
					all := slices.Concat(attrs, own, f.Attrs)
					o.ObserveInt64(byName[f.Name], int64(min(f.Value(snapshot), math.MaxInt64)),
						metric.WithAttributeSet(attribute.NewSet(all...)))
				}
			})
			return nil
		}, instruments...)
	})
}

func (f *Sum[S]) instrument(meter metric.Meter) (metric.Int64Observable, error) {
	unit, description := metric.WithUnit(f.Unit), metric.WithDescription(f.Description)
	if f.Falls {
		return meter.Int64ObservableUpDownCounter(f.Name, unit, description)
	}
	return meter.Int64ObservableCounter(f.Name, unit, description)
}
