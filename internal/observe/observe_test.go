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

var figures = []observe.Field[snapshot]{
	observe.NewField("test.sent", "{message}", "Sent.", func(s *snapshot) *uint64 { return &s.sent }),
	observe.NewField("test.lost", "{message}", "Lost.", func(s *snapshot) *uint64 { return &s.lost }),
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
	registration, err := observe.Counters(new(observe.Registry), meter, func() snapshot {
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
	registration, err := observe.Counters(new(observe.Registry), nil, func() snapshot { return snapshot{} }, figures, nil)
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
		_, err := observe.Counters(new(observe.Registry), refusing{left: &left}, func() snapshot { return snapshot{} }, figures, nil)
		require.ErrorIs(t, err, want)
	}
}

var sums = []observe.Field[snapshot]{
	figures[0].Falling(),
	figures[1].With(attribute.String("reason", "theft")),
	observe.NewReading("test.lost", "{message}", "Lost.", func(s snapshot) uint64 { return 10 * s.lost }).
		With(attribute.String("reason", "fire")),
}

func TestSumsShowEverySnapshotWithItsAttributes(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test")
	attrs := []attribute.KeyValue{attribute.String("system", "main")}
	taken := uint64(0)
	registration, err := observe.Sums(new(observe.Registry), meter, func(each func(snapshot, ...attribute.KeyValue)) {
		taken++
		each(snapshot{sent: 10 - taken, lost: 1}, attribute.String("kind", "guild"))
		each(snapshot{sent: 20 - taken, lost: math.MaxUint64}, attribute.String("kind", "session"))
	}, sums, attrs)
	require.NoError(t, err)
	attrs[0] = attribute.String("system", "changed") // They were copied.

	system := attribute.String("system", "main")
	guild, session := attribute.String("kind", "guild"), attribute.String("kind", "session")
	theft, fire := attribute.String("reason", "theft"), attribute.String("reason", "fire")
	point := func(value int64, attrs ...attribute.KeyValue) metricdata.DataPoint[int64] {
		return metricdata.DataPoint[int64]{Value: value, Attributes: attribute.NewSet(append(attrs, system)...)}
	}
	for round := range int64(3) {
		metrics := collect(t, reader)
		require.Len(t, metrics, 2)
		metricdatatest.AssertEqual(t, metricdata.Metrics{
			Name: "test.sent", Unit: "{message}", Description: "Sent.",
			Data: metricdata.Sum[int64]{
				Temporality: metricdata.CumulativeTemporality, IsMonotonic: false,
				DataPoints: []metricdata.DataPoint[int64]{point(9-round, guild), point(19-round, session)},
			},
		}, metrics[0], metricdatatest.IgnoreTimestamp())
		metricdatatest.AssertEqual(t, metricdata.Metrics{
			Name: "test.lost", Unit: "{message}", Description: "Lost.",
			Data: metricdata.Sum[int64]{
				Temporality: metricdata.CumulativeTemporality, IsMonotonic: true,
				DataPoints: []metricdata.DataPoint[int64]{
					point(1, guild, theft), point(10, guild, fire),
					point(math.MaxInt64, session, theft), point(math.MaxInt64, session, fire),
				},
			},
		}, metrics[1], metricdatatest.IgnoreTimestamp())
	}
	require.NoError(t, registration.Unregister())
	assert.Empty(t, collect(t, reader))
	assert.EqualValues(t, 3, taken)
}

// whole has a snapshot, and what cannot be added up.
type whole struct {
	part  snapshot
	share float64
}

func TestSeveralSourcesAndGauges(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test")
	shares := []observe.Field[float64]{observe.NewGauge("test.share", "1", "Share.", func(f float64) float64 { return f })}
	wholes := observe.From(func(each func(whole, ...attribute.KeyValue)) {
		each(whole{snapshot{sent: 3, lost: 1}, 0.25}, attribute.String("kind", "guild"))
	}, append(
		observe.Of(func(w whole) snapshot { return w.part }, sums[:2]),
		observe.Of(func(w whole) float64 { return w.share }, shares)...,
	))
	numbers := observe.From(func(each func(uint64, ...attribute.KeyValue)) { each(42) },
		[]observe.Field[uint64]{observe.NewReading("test.number", "{message}", "Number.", func(n uint64) uint64 { return n })})
	registration, err := observe.All(new(observe.Registry), meter, []attribute.KeyValue{attribute.String("system", "main")}, wholes, numbers)
	require.NoError(t, err)

	metrics := collect(t, reader)
	require.Len(t, metrics, 4)
	system, guild := attribute.String("system", "main"), attribute.String("kind", "guild")
	falling := sum("test.sent", "Sent.", 3, system, guild)
	data := falling.Data.(metricdata.Sum[int64])
	data.IsMonotonic = false
	falling.Data = data
	for i, want := range []metricdata.Metrics{
		falling,
		sum("test.lost", "Lost.", 1, system, guild, attribute.String("reason", "theft")),
		{
			Name: "test.share", Unit: "1", Description: "Share.", Data: metricdata.Gauge[float64]{
				DataPoints: []metricdata.DataPoint[float64]{{Value: 0.25, Attributes: attribute.NewSet(system, guild)}},
			},
		},
		sum("test.number", "Number.", 42, system),
	} {
		metricdatatest.AssertEqual(t, want, metrics[i], metricdatatest.IgnoreTimestamp())
	}
	require.NoError(t, registration.Unregister())
	assert.Empty(t, collect(t, reader))
}

func TestSumsPassOnWhatTheMeterSays(t *testing.T) {
	none := func(func(snapshot, ...attribute.KeyValue)) {}
	// The two have one name; the last instrument refused is the callback.
	for left, want := range map[int]error{0: errRefused, 1: errRefused, 2: context.Canceled} {
		_, err := observe.Sums(new(observe.Registry), refusing{left: &left}, none, sums[1:], nil)
		require.ErrorIs(t, err, want)
	}
	registration, err := observe.Sums(new(observe.Registry), nil, none, sums, nil)
	assert.Nil(t, registration)
	require.ErrorContains(t, err, "no meter")
}

// Registering one source twice would double its figures.
func TestOneSourceIsRegisteredOnce(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	var registry observe.Registry
	read := func() snapshot { return snapshot{sent: 7} }
	register := func(meter metric.Meter, attrs ...attribute.KeyValue) (metric.Registration, error) {
		return observe.Counters(&registry, meter, read, figures[:1], attrs)
	}
	first, err := register(provider.Meter("test"))
	require.NoError(t, err)
	for range 2 {
		_, err = register(provider.Meter("test"))
		require.ErrorContains(t, err, "already")
	}
	assert.EqualValues(t, 7, collect(t, reader)[0].Data.(metricdata.Sum[int64]).DataPoints[0].Value)

	_, err = register(provider.Meter("test"), attribute.String("system", "other"))
	require.NoError(t, err, "they can be told apart")
	_, err = register(provider.Meter("another"))
	require.NoError(t, err, "another meter")

	require.NoError(t, first.Unregister())
	require.NoError(t, first.Unregister(), "nothing is left to undo")
	_, err = register(provider.Meter("test"))
	require.NoError(t, err, "it was undone")
}
