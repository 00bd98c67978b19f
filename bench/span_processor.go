// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/traces"
)

// Variants of this row.
const (
	rawProcessor = "raw-processor" // a span processor that does nothing
	oursAll      = "ours-all"      // a store that takes every span, however fast they come
)

// spansOfTrace is how many spans a trace of this row has.
const spansOfTrace = 8

// spanProcessorRow measures spans of the SDK whose traces the console keeps, by a clock. Spans
// come as fast as they can, and not for a short while only, so the store of ours takes a share
// of the traces.
func spanProcessorRow(name, clockName string, clock func() time.Duration, ratios ...ratio) row {
	with := func(set func() *spanMaker) func(int) (*contender, error) {
		return func(int) (*contender, error) { return set().contender(clock), nil }
	}
	return row{
		name:  name,
		about: "a span of the SDK, without a processor, with one that does nothing, and with the console's; " + clockName,
		size:  spansOfTrace, ratios: ratios,
		variants: []variant{
			{raw, with(func() *spanMaker { return newSpanMaker(nil, nil) })},
			{rawProcessor, with(func() *spanMaker { return newSpanMaker(nil, func(sdktrace.ReadOnlySpan) {}) })},
			{ours, with(func() *spanMaker { return newStoredSpanMaker(traces.Config{}) })},
			{oursAll, with(func() *spanMaker { return newStoredSpanMaker(traces.Config{PerSecond: -1}) })},
		},
	}
}

// spanMaker makes traces of a root and the spans of handlings below it.
type spanMaker struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	options  []trace.SpanStartOption
	store    *traces.Store // nil if there is none
	made     int           // spans in all
}

func newSpanMaker(store *traces.Store, onEnd func(sdktrace.ReadOnlySpan)) *spanMaker {
	options := []sdktrace.TracerProviderOption{
		sdktrace.WithSampler(sdktrace.AlwaysSample()), sdktrace.WithResource(resource.Empty()),
	}
	if onEnd != nil {
		options = append(options, sdktrace.WithSpanProcessor(endProcessor(onEnd)))
	}
	m := &spanMaker{provider: sdktrace.NewTracerProvider(options...), store: store}
	m.tracer = m.provider.Tracer("bench")
	m.options = []trace.SpanStartOption{
		trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(
			keys.ProcessKind.String("guild"), keys.ProcessID.String("14"), keys.MessageType.String("Message"),
			keys.QueueDuration.Float64(0.001), attribute.Int("shard", 3)),
	}
	return m
}

func newStoredSpanMaker(config traces.Config) *spanMaker {
	store := traces.New(config)
	return newSpanMaker(store, store.Add)
}

func (m *spanMaker) makeTrace() {
	ctx, root := m.tracer.Start(context.Background(), "POST /", m.options...)
	for range spansOfTrace - 1 {
		_, span := m.tracer.Start(ctx, "guild Message", m.options...)
		span.End()
	}
	root.End()
	m.made += spansOfTrace
}

// warm makes so many spans that a store knows that they are too many, if it cares, and that
// the garbage collector works as it does in the long run.
func (m *spanMaker) warm() {
	for range 50_000 / spansOfTrace {
		m.makeTrace()
	}
}

func (m *spanMaker) contender(clock func() time.Duration) *contender {
	var counted int
	var spent time.Duration
	return &contender{
		warm: m.warm,
		run: func(times int) error {
			begun, before := clock(), m.made
			for range times {
				m.makeTrace()
			}
			spent += clock() - begun
			counted += m.made - before
			return nil
		},
		timed:   func() time.Duration { return spent },
		handled: func() int { return counted },
		tear:    m.tear,
	}
}

// tear checks that the store has seen every span.
func (m *spanMaker) tear() error {
	if err := m.provider.Shutdown(context.Background()); err != nil || m.store == nil {
		return err
	}
	if t := m.store.Totals(); t.Seen != uint64(m.made) || t.Kept == 0 { //nolint:gosec // A count.
		return fmt.Errorf("%w: %d spans made, and %+v", errEffect, m.made, t)
	}
	return nil
}

var benchBegun = time.Now()

// wallTime is a clock.
func wallTime() time.Duration { return time.Since(benchBegun) }

// endProcessor is a span processor that does that with each span that ends.
type endProcessor func(sdktrace.ReadOnlySpan)

var _ sdktrace.SpanProcessor = endProcessor(nil)

func (endProcessor) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (p endProcessor) OnEnd(span sdktrace.ReadOnlySpan)              { p(span) }
func (endProcessor) Shutdown(context.Context) error                  { return nil }
func (endProcessor) ForceFlush(context.Context) error                { return nil }
