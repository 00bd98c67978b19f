// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Field is the metric of a figure of S, which is a struct of numbers. A table of fields
// says how to count in an S, and how to report one.
type Field[S any] struct {
	name, unit, description string
	of                      func(*S) *uint64 // nil for a reading
	value                   func(S) uint64
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

// Value returns the figure in s.
func (f Field[S]) Value(s S) uint64 { return f.value(s) }

func (f Field[S]) instrument(meter metric.Meter) (metric.Int64Observable, error) {
	unit, description := metric.WithUnit(f.unit), metric.WithDescription(f.description)
	if f.falls {
		return meter.Int64ObservableUpDownCounter(f.name, unit, description)
	}
	return meter.Int64ObservableCounter(f.name, unit, description)
}
