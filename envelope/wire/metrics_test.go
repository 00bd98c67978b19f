// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/waybill-go/waybill/envelope/wire"
)

// metricNames are those of the figures, in the order of the fields of Figures.
var metricNames = []string{
	"read.bare", "read.wrapped", "read.refused", "read.truncated", "read.malformed", "read.oversized",
	"read.unknown_version", "read.undecodable", "trace.malformed", "tracestate.refused", "chain.malformed",
	"baggage.refused", "written.bare", "written.wrapped", "written.cut",
}

// gather returns the only point of each metric, and its attributes.
func gather(t *testing.T, reader sdkmetric.Reader) (map[string]int64, attribute.Set) {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	found, attrs := map[string]int64{}, attribute.Set{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			points := m.Data.(metricdata.Sum[int64]).DataPoints
			require.Len(t, points, 1)
			assert.NotEmpty(t, m.Description)
			assert.Equal(t, "{message}", m.Unit)
			found[m.Name], attrs = points[0].Value, points[0].Attributes
		}
	}
	return found, attrs
}

func TestRegisterReportsEveryFigure(t *testing.T) {
	var counters wire.Counters
	counts := reflect.ValueOf(wire.Distinct(&counters))
	require.Len(t, metricNames, counts.NumField(), "a figure without a metric")
	want := map[string]int64{}
	for i, name := range metricNames {
		want["waybill.envelope."+name] = int64(counts.Field(i).Uint())
		assert.Equal(t, uint64(i+1), counts.Field(i).Uint())
	}

	reader := sdkmetric.NewManualReader()
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test")
	registration, err := counters.RegisterMetrics(meter, attribute.String("topic", "orders"))
	require.NoError(t, err)
	found, attrs := gather(t, reader)
	assert.Equal(t, want, found)
	assert.Equal(t, attribute.NewSet(attribute.String("topic", "orders")), attrs)

	require.NoError(t, registration.Unregister())
	found, _ = gather(t, reader)
	assert.Empty(t, found)
}

// A summary adds up all figures, each of them once.
func TestCountsAddUp(t *testing.T) {
	var counters wire.Counters
	wire.Distinct(&counters) // From 1 to 15, in the order of metricNames.
	assert.Equal(t, wire.Counts{
		Bare: 1, Wrapped: 2, Refused: 3 + 4 + 5 + 6 + 7 + 8, Dropped: 9 + 10 + 11 + 12 + 15,
		WrittenBare: 13, WrittenWrapped: 14,
	}, counters.Counts())
}

func TestRegisterWithoutAMeter(t *testing.T) {
	var counters wire.Counters
	registration, err := counters.RegisterMetrics(nil)
	assert.Nil(t, registration)
	require.ErrorContains(t, err, "wire: metrics: no meter")
}

// Counters that nobody gave are the default ones, here as in a Config.
func TestRegisterTheDefaultCounters(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test")
	var none *wire.Counters
	_, err := none.RegisterMetrics(meter)
	require.NoError(t, err)
	_, err = wire.Config[order]{}.Decode([]byte(`{}`))
	require.NoError(t, err)
	found, _ := gather(t, reader)
	assert.Equal(t, int64(wire.DefaultCounters().Counts().Bare), found["waybill.envelope.read.bare"])
	assert.Equal(t, wire.DefaultCounters().Counts(), none.Counts())
}

func ExampleCounters() {
	var counters wire.Counters
	wire := wire.Config[Order]{Counters: &counters}
	for _, data := range []string{`{"Item":"a lamp"}`, "\xf7WB\xf6\x01\x00\x00\x00\x00\x00\x02{}", "\xf7WB\xf6\x02"} {
		if _, err := wire.Decode([]byte(data)); err != nil {
			fmt.Println(err)
		}
	}
	counts := counters.Counts()
	fmt.Println(counts.Bare, "bare,", counts.Wrapped, "wrapped,", counts.Refused, "refused")
	// Output:
	// wire: wrapped message of unknown version: 2
	// 1 bare, 2 wrapped, 1 refused
}
