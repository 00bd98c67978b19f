// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/guard"
	"github.com/waybill-go/waybill/internal/planning"
	"github.com/waybill-go/waybill/internal/stattest"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/sampler"
)

func newMeter() (metric.Meter, sdkmetric.Reader) {
	reader := sdkmetric.NewManualReader()
	return sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test"), reader
}

// measured returns what a reader finds, by name and attributes.
func measured(t *testing.T, reader sdkmetric.Reader) map[string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	points := map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			assert.NotEmpty(t, m.Description)
			sum := m.Data.(metricdata.Sum[int64])
			assert.True(t, sum.IsMonotonic)
			for _, point := range sum.DataPoints {
				points[m.Name+"{"+point.Attributes.Encoded(attribute.DefaultEncoder())+"}"] = point.Value
			}
		}
	}
	return points
}

func TestMetricsOfWhatWasShed(t *testing.T) {
	control := newControl(t)
	meter, reader := newMeter()
	registration, err := control.RegisterMetrics(meter, attribute.String("system", "main"))
	require.NoError(t, err)
	assert.Empty(t, measured(t, reader))

	config := sampling.GroupConfig{Curve: sampling.Always(), MaxSpans: 30, MaxSpansPerSecond: 10}
	planner := planning.Planner{Config: config, Rate: &cellsOf(control).Group("sessions").Rate, Now: time.Minute, Random: stattest.Fixed(1)}
	planner.Plan(300)
	for range 2 {
		require.True(t, planner.Plan(300).Shed)
	}
	planner.Limits = []planning.Limit{{Rate: &cellsOf(control).Kind("session").Rate, MaxSpansPerSecond: 1, Share: 1}}
	planner.Config.MaxSpansPerSecond = 0
	planner.Plan(300)
	require.True(t, planner.Plan(300).Shed)
	assert.Equal(t, map[string]int64{
		"waybill.sampling.shed.fanouts{system=main,waybill.fanout.group=sessions}": 2,
		"waybill.sampling.shed.spans{system=main,waybill.fanout.group=sessions}":   60,
		"waybill.sampling.shed.fanouts{system=main,waybill.process.kind=session}":  1,
		"waybill.sampling.shed.spans{system=main,waybill.process.kind=session}":    30,
	}, measured(t, reader))
	require.NoError(t, registration.Unregister())
	assert.Empty(t, measured(t, reader))
}

func TestMetricsOfTheWholeProgram(t *testing.T) {
	meter, reader := newMeter()
	_, err := sampling.RegisterMetrics(meter)
	require.NoError(t, err)
	before := measured(t, reader)
	forged, err := trace.ParseTraceState("waybill=w:-1")
	require.NoError(t, err)
	assert.Zero(t, fanout.FromTraceState(forged))

	provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler.Wrap(sdktrace.AlwaysSample())))
	untraced := envelope.Untraced(t.Context())
	for _, ctx := range []context.Context{untraced, t.Context(), untraced} {
		_, span := provider.Tracer("test").Start(ctx, "work")
		assert.Equal(t, ctx == t.Context(), span.SpanContext().IsSampled())
	}
	for range 3 {
		guard.Do(func() { panic("plugged in") })
	}

	after := measured(t, reader)
	for name, want := range map[string]int64{
		"waybill.sampling.ignored{}": 1, "waybill.sampling.roots.refused{}": 2, "waybill.plugins.panics{}": 3,
	} {
		assert.Equal(t, want, after[name]-before[name], name)
	}
}

func TestRegisterWithoutAMeter(t *testing.T) {
	registration, err := newControl(t).RegisterMetrics(nil)
	assert.Nil(t, registration)
	require.ErrorContains(t, err, "sampling: metrics: no meter")
	_, err = sampling.RegisterMetrics(nil)
	require.ErrorContains(t, err, "sampling: metrics: no meter")
}
