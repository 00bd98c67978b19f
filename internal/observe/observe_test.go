// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package observe_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/internal/observe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type snapshot struct{ sent, lost uint64 }

var figures = []observe.Counter[snapshot]{
	{Name: "test.sent", Unit: "{message}", Description: "Sent.", Value: func(s snapshot) uint64 { return s.sent }},
	{Name: "test.lost", Unit: "{message}", Description: "Lost.", Value: func(s snapshot) uint64 { return s.lost }},
}

// collect returns what a reader finds, in the order of its making.
func collect(t *testing.T, reader sdkmetric.Reader) (metrics []metricdata.Metrics) {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	for _, scope := range all.ScopeMetrics {
		metrics = append(metrics, scope.Metrics...)
	}
	return metrics
}

func sum(name, description string, value int64, attrs ...attribute.KeyValue) metricdata.Metrics {
	return metricdata.Metrics{
		Name: name, Unit: "{message}", Description: description,
		Data: metricdata.Sum[int64]{
			Temporality: metricdata.CumulativeTemporality, IsMonotonic: true,
			DataPoints: []metricdata.DataPoint[int64]{{Value: value, Attributes: attribute.NewSet(attrs...)}},
		},
	}
}

func TestCountersShowOneSnapshotPerCollection(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test")
	taken := uint64(0)
	attrs := []attribute.KeyValue{attribute.String("kind", "guild")}
	registration, err := observe.Counters(meter, func() snapshot {
		taken++
		return snapshot{sent: taken, lost: math.MaxUint64}
	}, figures, attrs)
	require.NoError(t, err)
	attrs[0] = attribute.String("kind", "changed") // They were copied.

	for round := range int64(3) {
		metrics := collect(t, reader)
		require.Len(t, metrics, 2)
		want := attribute.String("kind", "guild")
		metricdatatest.AssertEqual(t, sum("test.sent", "Sent.", round+1, want), metrics[0], metricdatatest.IgnoreTimestamp())
		metricdatatest.AssertEqual(t, sum("test.lost", "Lost.", math.MaxInt64, want), metrics[1], metricdatatest.IgnoreTimestamp())
	}

	require.NoError(t, registration.Unregister())
	assert.Empty(t, collect(t, reader))
	assert.Equal(t, uint64(3), taken)
}

func TestCountersOfNoMeter(t *testing.T) {
	registration, err := observe.Counters(nil, func() snapshot { return snapshot{} }, figures, nil)
	assert.Nil(t, registration)
	require.ErrorContains(t, err, "no meter")
}

// refusing is a meter that makes no more than some instruments.
type refusing struct {
	noop.Meter
	left *int
}

var errRefused = errors.New("refused")

func (m refusing) Int64ObservableCounter(
	string, ...metric.Int64ObservableCounterOption,
) (metric.Int64ObservableCounter, error) {
	if *m.left == 0 {
		return nil, errRefused
	}
	*m.left--
	return noop.Int64ObservableCounter{}, nil
}

func (m refusing) RegisterCallback(metric.Callback, ...metric.Observable) (metric.Registration, error) {
	if *m.left == 0 {
		return nil, errRefused
	}
	return nil, context.Canceled
}

func TestCountersPassOnWhatTheMeterSays(t *testing.T) {
	for left, want := range map[int]error{0: errRefused, 1: errRefused, 2: errRefused, 3: context.Canceled} {
		_, err := observe.Counters(refusing{left: &left}, func() snapshot { return snapshot{} }, figures, nil)
		require.ErrorIs(t, err, want)
	}
}
