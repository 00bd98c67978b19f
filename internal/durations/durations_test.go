// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package durations_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/internal/durations"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// place returns a place and a reader of what it records.
func place(t testing.TB) (*durations.Place, sdkmetric.Reader) {
	t.Helper()
	reader := sdkmetric.NewManualReader()
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test")
	histograms, err := durations.New(meter, "test.", []attribute.KeyValue{attribute.String("system", "main")})
	require.NoError(t, err)
	return histograms.Place(attribute.String("kind", "guild"), reflect.Type.Name), reader
}

func TestDurationsAreNotLessThanNothing(t *testing.T) {
	p, reader := place(t)
	series := p.Of(reflect.TypeFor[time.Time]())
	assert.Same(t, series, p.Of(reflect.TypeFor[time.Time]()))
	series.Queued(t.Context(), -time.Hour) // The clock of another machine was wrong.
	series.Queued(t.Context(), time.Second)
	series.Handled(t.Context(), 2*time.Second)
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	require.Len(t, all.ScopeMetrics, 1)
	for i, want := range []struct {
		name  string
		count uint64
		sum   float64
	}{{"test.queue.duration", 2, 1}, {"test.handling.duration", 1, 2}} {
		m := all.ScopeMetrics[0].Metrics[i]
		assert.Equal(t, want.name, m.Name)
		point := m.Data.(metricdata.Histogram[float64]).DataPoints[0]
		assert.Equal(t, want.count, point.Count)
		assert.InDelta(t, want.sum, point.Sum, 1e-9)
		assert.Equal(t, attribute.NewSet(attribute.String("system", "main"), attribute.String("kind", "guild"),
			attribute.String("waybill.message.type", "Time")), point.Attributes)
	}
}

func TestToRecordAllocatesNothing(t *testing.T) {
	p, _ := place(t)
	record := func() {
		series := p.Of(reflect.TypeFor[time.Time]())
		series.Queued(context.Background(), time.Second)
		series.Handled(context.Background(), time.Second)
	}
	assert.Zero(t, testing.AllocsPerRun(100, record))
}

// BenchmarkRecord measures both durations of a message.
func BenchmarkRecord(b *testing.B) {
	p, _ := place(b)
	b.ReportAllocs()
	for b.Loop() {
		series := p.Of(reflect.TypeFor[time.Time]())
		series.Queued(context.Background(), time.Millisecond)
		series.Handled(context.Background(), time.Millisecond)
	}
}
