// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"math"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Field is the metric of a figure of S, which is a struct of numbers. A table of fields
// says how to count in an S, and how to report one.
type Field[S any] struct {
	name, unit, description string
	of                      func(*S) *uint64 // nil for a reading
	value                   func(S) uint64   // nil for a gauge
	gauge                   func(S) float64  // nil for a sum
	falls                   bool
	attrs                   []attribute.KeyValue
}

// NewField returns the metric of the field to which of returns a pointer. The field
// never falls. The name has the form waybill.<package>.<what>. The unit is what is
// counted, in braces, such as {message}.
func NewField[S any](name, unit, description string, of func(*S) *uint64) Field[S] {
	return Field[S]{name: name, unit: unit, description: description, of: of, value: func(s S) uint64 { return *of(&s) }}
}

// NewReading returns the metric of what value returns. It is reported, but [Add] and
// [Tally] leave it out.
func NewReading[S any](name, unit, description string, value func(S) uint64) Field[S] {
	return Field[S]{name: name, unit: unit, description: description, value: value}
}

// NewGauge returns the metric of what value returns, which cannot be added up: a largest
// value, or a share. [Add] and [Tally] leave it out.
func NewGauge[S any](name, unit, description string, value func(S) float64) Field[S] {
	return Field[S]{name: name, unit: unit, description: description, gauge: value}
}

// Falling returns f as a figure that may fall, as a number of things that exist now does.
func (f Field[S]) Falling() Field[S] {
	f.falls = true
	return f
}

// With returns f with attributes. Several fields may have the same name with different
// attributes.
func (f Field[S]) With(attrs ...attribute.KeyValue) Field[S] {
	f.attrs = attrs
	return f
}

// Name returns the name of the metric.
func (f Field[S]) Name() string { return f.name }

// Attrs returns the attributes that f was given. They must not be changed.
func (f Field[S]) Attrs() []attribute.KeyValue { return f.attrs }

// Value returns the figure in s, of a field that is no gauge.
func (f Field[S]) Value(s S) uint64 { return f.value(s) }

func (f Field[S]) instrument(meter metric.Meter) (metric.Observable, error) {
	unit, description := metric.WithUnit(f.unit), metric.WithDescription(f.description)
	switch {
	case f.gauge != nil:
		return meter.Float64ObservableGauge(f.name, unit, description)
	case f.falls:
		return meter.Int64ObservableUpDownCounter(f.name, unit, description)
	default:
		return meter.Int64ObservableCounter(f.name, unit, description)
	}
}

// observe reports the figure in s.
func (f Field[S]) observe(o metric.Observer, instrument metric.Observable, s S, attrs attribute.Set) {
	measured := metric.WithAttributeSet(attrs)
	if f.gauge != nil {
		o.ObserveFloat64(instrument.(metric.Float64Observable), f.gauge(s), measured) //nolint:forcetypeassert // From instrument.
		return
	}
	value := int64(min(f.value(s), math.MaxInt64))
	o.ObserveInt64(instrument.(metric.Int64Observable), value, measured) //nolint:forcetypeassert // From instrument.
}
