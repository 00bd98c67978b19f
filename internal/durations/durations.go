// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package durations has histograms of how long messages waited and how long they were
// handled, by where they went and by their type. Both numbers are bounded.
//
// A meter is plugged in, so it may panic: callers go through package guard.
package durations

import (
	"context"
	"reflect"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/observe"
)

// maxTypes is how many types of messages one place has by name.
const maxTypes = 32

// bounds are the upper bounds of the buckets in seconds. A handler that computes takes
// microseconds, and one that waits for others may take seconds.
var bounds = []float64{
	1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4,
	1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
}

// Histograms are those of one source. Any number of goroutines may use them.
type Histograms struct {
	queue, handling metric.Float64Histogram
	attrs           []attribute.KeyValue
}

// New makes the histograms prefix + "queue.duration" and prefix + "handling.duration". Every
// value has attrs. An error comes from the meter.
func New(meter metric.Meter, prefix string, attrs []attribute.KeyValue) (*Histograms, error) {
	queue, err := meter.Float64Histogram(prefix+"queue.duration", metric.WithUnit("s"),
		metric.WithDescription("Time between the sending of a message and its handling."),
		metric.WithExplicitBucketBoundaries(bounds...))
	if err != nil {
		return nil, err
	}
	handling, err := meter.Float64Histogram(prefix+"handling.duration", metric.WithUnit("s"),
		metric.WithDescription("Time that a handler took for a message."),
		metric.WithExplicitBucketBoundaries(bounds...))
	if err != nil {
		return nil, err
	}
	return &Histograms{queue, handling, slices.Clone(attrs)}, nil
}

// Place is where messages went: a kind of processes, or a channel.
type Place struct {
	histograms *Histograms
	attr       attribute.KeyValue
	nameOf     func(reflect.Type) string

	byType sync.Map // *Series by reflect.Type
	mu     sync.Mutex
	byName map[string]*Series
}

// Place returns that of the given attribute. nameOf names the types of its messages. There
// must be one for each attribute.
func (h *Histograms) Place(attr attribute.KeyValue, nameOf func(reflect.Type) string) *Place {
	return &Place{histograms: h, attr: attr, nameOf: nameOf, byName: make(map[string]*Series)}
}

// Series are the durations of messages of one type.
type Series struct {
	histograms *Histograms
	options    []metric.RecordOption
}

// Of returns the series of messages of that type.
func (p *Place) Of(t reflect.Type) *Series {
	if found, ok := p.byType.Load(t); ok {
		return found.(*Series) //nolint:forcetypeassert // The map holds nothing else.
	}
	found := p.named(p.nameOf(t))
	p.byType.Store(t, found)
	return found
}

// named returns the series of that name. If there are too many, it returns one for all others.
func (p *Place) named(name string) *Series {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.byName[name]; !ok && len(p.byName) >= maxTypes {
		name = observe.Others
	}
	if found, ok := p.byName[name]; ok {
		return found
	}
	set := attribute.NewSet(append([]attribute.KeyValue{p.attr, keys.MessageType.String(name)}, p.histograms.attrs...)...)
	made := &Series{p.histograms, []metric.RecordOption{metric.WithAttributeSet(set)}}
	p.byName[name] = made
	return made
}

// Queued records how long a message waited, which is not less than nothing. If ctx is in a
// sampled trace, the value may become an exemplar of it.
func (s *Series) Queued(ctx context.Context, d time.Duration) {
	s.histograms.queue.Record(ctx, max(d, 0).Seconds(), s.options...)
}

// Handled records how long the handling of a message took. For ctx see Queued.
func (s *Series) Handled(ctx context.Context, d time.Duration) {
	s.histograms.handling.Record(ctx, max(d, 0).Seconds(), s.options...)
}
