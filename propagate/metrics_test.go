// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate_test

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/waybill-go/waybill/propagate"
)

// measured returns what a reader finds under each name, by the attribute
// "listener".
func measured(t *testing.T, reader sdkmetric.Reader) map[string]map[string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	found := map[string]map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			assert.NotEmpty(t, m.Description)
			assert.Regexp(t, `^\{[a-z]+\}$`, m.Unit)
			found[m.Name] = map[string]int64{}
			for _, point := range m.Data.(metricdata.Sum[int64]).DataPoints {
				listener, _ := point.Attributes.Value("listener")
				found[m.Name][listener.AsString()] += point.Value
			}
		}
	}
	return found
}

func TestRegisterReportsEveryFigure(t *testing.T) {
	var counters propagate.Counters
	counts := propagate.Distinct(&counters)
	reader := sdkmetric.NewManualReader()
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test")
	registration, err := counters.RegisterMetrics(meter)
	require.NoError(t, err)

	want := map[string]map[string]int64{}
	for name, figure := range map[string]uint64{
		"malformed":          counts.Malformed,
		"tracestate.refused": counts.TraceStateRefused,
		"tracestate.cut":     counts.TraceStateCut,
		"baggage.refused":    counts.BaggageRefused,
		"baggage.dropped":    counts.BaggageDropped,
		"unsampled.carried":  counts.UnsampledCarried,
		"unsampled.dropped":  counts.UnsampledDropped,
		"boundary.linked":    counts.BoundaryLinked,
		"boundary.ignored":   counts.BoundaryIgnored,
	} {
		want["waybill.propagate."+name] = map[string]int64{"": int64(figure)}
	}
	assert.Equal(t, want, measured(t, reader))
	assert.Len(t, want, reflect.TypeFor[propagate.Figures]().NumField(), "a figure without a metric")

	require.NoError(t, registration.Unregister())
	assert.Empty(t, measured(t, reader))
}

func TestRegisterTellsListenersApart(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test")
	var public, internal propagate.Counters
	_, err := public.RegisterMetrics(meter, attribute.String("listener", "public"))
	require.NoError(t, err)
	_, err = internal.RegisterMetrics(meter, attribute.String("listener", "internal"))
	require.NoError(t, err)

	propagate.Distinct(&public)
	want := public.Figures()
	assert.Equal(t, map[string]int64{"public": int64(want.Malformed), "internal": 0},
		measured(t, reader)["waybill.propagate.malformed"])
}

func TestRegisterWithoutAMeter(t *testing.T) {
	var counters propagate.Counters
	registration, err := counters.RegisterMetrics(nil)
	assert.Nil(t, registration)
	require.ErrorContains(t, err, "propagate: metrics: no meter")
}

// Counters that nobody gave are the default ones, here as in a propagator.
func TestRegisterTheDefaultCounters(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test")
	var none *propagate.Counters
	_, err := none.RegisterMetrics(meter)
	require.NoError(t, err)
	assert.Equal(t, int64(propagate.DefaultCounters().Figures().Malformed),
		measured(t, reader)["waybill.propagate.malformed"][""])
}

// A summary adds up all figures, each of them once.
func TestCountsAddUp(t *testing.T) {
	var counters propagate.Counters
	propagate.Distinct(&counters) // From 1 to 9, in the order of TestRegisterReportsEveryFigure.
	assert.Equal(t, propagate.Counts{
		Refused: 1 + 2 + 4, Dropped: 3 + 5, Unsampled: 6 + 7, Linked: 8, Ignored: 9,
	}, counters.Counts())
	var none *propagate.Counters
	assert.Equal(t, propagate.DefaultCounters().Counts(), none.Counts(), "no counters are the default ones")
}

func TestRegisterTheCountersOfAPropagator(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test")
	p := sampledFirst()
	registration, err := p.Counters.RegisterMetrics(meter, attribute.String("listener", "public"))
	require.NoError(t, err)

	p.Extract(t.Context(), propagation.MapCarrier{"traceparent": unsampled})
	p.Extract(t.Context(), propagation.MapCarrier{"traceparent": "malformed"})
	for name, figure := range map[string]int64{"unsampled.carried": 1, "malformed": 1, "unsampled.dropped": 0} {
		assert.Equal(t, map[string]int64{"public": figure}, measured(t, reader)["waybill.propagate."+name], name)
	}
	require.NoError(t, registration.Unregister())
	assert.Empty(t, measured(t, reader))
}
