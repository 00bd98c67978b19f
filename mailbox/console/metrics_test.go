// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/mailbox/console"
)

// metered returns a console, and a meter whose metrics it shows.
func metered(t *testing.T, options ...sdkmetric.Option) (*console.Console, metric.Meter) {
	t.Helper()
	con := console.New(console.Config{})
	return con, meterOf(t, con, options...)
}

func meterOf(t *testing.T, con *console.Console, options ...sdkmetric.Option) metric.Meter {
	t.Helper()
	provider := sdkmetric.NewMeterProvider(append(options, sdkmetric.WithReader(con.MetricReader()))...)
	t.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	return provider.Meter("test")
}

// must returns v, and needs that there is no error.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// shownMetrics are what the console says of metrics.
type shownMetrics struct {
	Attached bool
	ShutDown bool `json:"shut_down"`
	Time     time.Time
	LeftOut  int `json:"left_out"`
	Problem  string
	Metrics  []struct {
		Name, Unit, Description, Kind string
		Monotonic                     bool
		Points                        []json.RawMessage
	}
}

func metricsOf(t *testing.T, h http.Handler) (shown shownMetrics) {
	t.Helper()
	w := get(t, h, "/api/metrics")
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &shown), w.Body)
	return shown
}

func attributes(pairs ...string) metric.MeasurementOption {
	var set []attribute.KeyValue
	for i := 0; i < len(pairs); i += 2 {
		set = append(set, attribute.String(pairs[i], pairs[i+1]))
	}
	return metric.WithAttributes(set...)
}

// record records all kinds of metrics, in a span that is sampled.
func record(ctx context.Context, meter metric.Meter) {
	ctx = trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{15: 0xab}, SpanID: trace.SpanID{7: 0xcd}, TraceFlags: trace.FlagsSampled,
	}))
	counter := must(meter.Int64Counter("waybill.c", metric.WithUnit("{message}"), metric.WithDescription("Messages.")))
	counter.Add(ctx, math.MaxInt64, attributes("waybill.process.kind", "b"))
	counter.Add(context.Background(), 2, attributes("waybill.process.kind", "<script>alert(1)</script>\x00\xff", "also", "x"))
	must(meter.Float64UpDownCounter("waybill.b")).Add(context.Background(), -1.5)
	gauge := must(meter.Float64Gauge("waybill.a", metric.WithUnit("s")))
	for name, value := range map[string]float64{"1": math.NaN(), "2": math.Inf(1), "3": math.Inf(-1), "4": 0.25} {
		gauge.Record(context.Background(), value, attributes("n", name))
	}
	wait := must(meter.Float64Histogram("waybill.d", metric.WithExplicitBucketBoundaries(0.1, 1)))
	wait.Record(context.Background(), 0.1)
	wait.Record(context.Background(), 0.5)
	wait.Record(ctx, 8)
	must(meter.Int64Counter("other.requests")).Add(ctx, 1)
	must(meter.Int64Counter("waybills")).Add(ctx, 1)
}

func TestMetricsAreShownAsTheyAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		con, meter := metered(t)
		record(t.Context(), meter)
		now := time.Now().UTC().Format(time.RFC3339Nano)
		exemplar := func(value string) string {
			return `{"trace_id": "000000000000000000000000000000ab", "span_id": "00000000000000cd", "value": ` + value + `, "time": "` + now + `"}`
		}
		assert.JSONEq(t, `{"attached": true, "time": "`+now+`", "left_out": 0, "metrics": [
			{"name": "waybill.a", "unit": "s", "description": "", "kind": "gauge", "points": [
				{"attributes": [["n", "1"]], "value": "NaN"},
				{"attributes": [["n", "2"]], "value": "Infinity"},
				{"attributes": [["n", "3"]], "value": "-Infinity"},
				{"attributes": [["n", "4"]], "value": 0.25}
			]},
			{"name": "waybill.b", "unit": "", "description": "", "kind": "sum", "points": [{"attributes": [], "value": -1.5}]},
			{"name": "waybill.c", "unit": "{message}", "description": "Messages.", "kind": "sum", "monotonic": true, "points": [
				{"attributes": [["also", "x"], ["waybill.process.kind", "<script>alert(1)</script>\u0000\ufffd"]], "value": 2},
				{"attributes": [["waybill.process.kind", "b"]], "value": 9223372036854775807, "exemplars": [`+exemplar("9223372036854775807")+`]}
			]},
			{"name": "waybill.d", "unit": "", "description": "", "kind": "histogram", "points": [
				{"attributes": [], "count": 3, "sum": 8.6, "min": 0.1, "max": 8, "bounds": [0.1, 1], "counts": [1, 1, 1], "exemplars": [`+exemplar("8")+`]}
			]}
		]}`, get(t, con, "/api/metrics").Body.String())
		assert.Contains(t, get(t, con, "/api/metrics").Body.String(), "9223372036854775807", "to the last digit")
		assert.NotContains(t, get(t, con, "/api/metrics").Body.String(), "<script>")
	})
}

// An exponential histogram is shown in buckets with bounds.
func TestExponentialHistograms(t *testing.T) {
	con, meter := metered(t, sdkmetric.WithView(sdkmetric.NewView(
		sdkmetric.Instrument{Name: "waybill.*"},
		sdkmetric.Stream{Aggregation: sdkmetric.AggregationBase2ExponentialHistogram{MaxSize: 4, MaxScale: 0}},
	)))
	both := must(meter.Float64Histogram("waybill.both"))
	for _, v := range []float64{0, 0, 1.5, 3, 3.5, 6, -0.75, -3} {
		both.Record(t.Context(), v)
	}
	must(meter.Int64Histogram("waybill.zero")).Record(t.Context(), 0)
	wide := must(meter.Float64Histogram("waybill.wide")) // Its bounds are beyond what a number can be.
	wide.Record(t.Context(), math.SmallestNonzeroFloat64)
	wide.Record(t.Context(), math.MaxFloat64)

	shown := metricsOf(t, con)
	require.Len(t, shown.Metrics, 3)
	assert.JSONEq(t, `{
		"attributes": [], "count": 8, "sum": 10.25, "min": -3, "max": 6,
		"bounds": [-4, -2, -1, -0.5, 0, 1, 2, 4, 8],
		"counts": [0, 1, 0, 1, 2, 0, 1, 2, 1, 0]
	}`, string(shown.Metrics[0].Points[0]))
	var point struct {
		Count  uint64
		Bounds []any
		Counts []uint64
	}
	require.NoError(t, json.Unmarshal(shown.Metrics[1].Points[0], &point))
	var sum uint64
	for _, count := range point.Counts {
		sum += count
	}
	assert.EqualValues(t, 2, sum, "no value is lost")
	assert.Len(t, point.Counts, len(point.Bounds)+1)
	assert.JSONEq(t, `{"attributes": [], "count": 1, "sum": 0, "min": 0, "max": 0, "bounds": [0], "counts": [1, 0]}`, string(shown.Metrics[2].Points[0]))
}

func TestTooManyPointsAreLeftOut(t *testing.T) {
	con, meter := metered(t, sdkmetric.WithCardinalityLimit(0))
	counter, wait := must(meter.Int64Counter("waybill.a")), must(meter.Float64Histogram("waybill.b"))
	boundaries := make([]float64, 999)
	for i := range boundaries {
		boundaries[i] = float64(i)
	}
	large := must(meter.Float64Histogram("waybill.c", metric.WithExplicitBucketBoundaries(boundaries...)))
	for i := range 1500 {
		kind := attributes("waybill.process.kind", "k"+strconv.Itoa(10_000+i))
		counter.Add(t.Context(), 1, kind)
		wait.Record(t.Context(), 1, kind)
		if i < 100 {
			large.Record(t.Context(), 1, kind)
		}
	}
	counter.Add(t.Context(), 1, attributes("waybill.process.kind", "a"+strings.Repeat("é", 1000)))
	must(meter.Int64Counter("waybill.d")).Add(t.Context(), 1)

	shown := metricsOf(t, con)
	require.Len(t, shown.Metrics, 4)
	var points int
	for _, m := range shown.Metrics {
		assert.LessOrEqual(t, len(m.Points), 1000, m.Name)
		points += len(m.Points)
	}
	assert.Len(t, shown.Metrics[0].Points, 1000)
	assert.Len(t, shown.Metrics[3].Points, 1, "a small one has room")
	assert.Less(t, len(shown.Metrics[2].Points), 50, "buckets count")
	assert.Equal(t, 2*1500+100+2-points, shown.LeftOut)
	assert.Contains(t, string(shown.Metrics[0].Points[0]), `é…"`, "long texts are cut, between letters")
	assert.NotContains(t, string(shown.Metrics[0].Points[0]), "\ufffd")
	assert.Contains(t, string(shown.Metrics[0].Points[999]), "k10998", "the same are left out each time")
	assert.Less(t, get(t, con, "/api/metrics").Body.Len(), 2_000_000)
}

func TestMetricsOfSeveralProviders(t *testing.T) {
	con := console.New(console.Config{})
	shown := metricsOf(t, con)
	assert.False(t, shown.Attached)
	assert.NotNil(t, shown.Metrics)
	assert.Empty(t, shown.Metrics)

	con = console.New(console.Config{})
	con.MetricReader() // Nobody attaches it.
	must(meterOf(t, con).Int64Counter("waybill.a")).Add(t.Context(), 1)
	must(meterOf(t, con).Int64Counter("waybill.a")).Add(t.Context(), 2)
	shown = metricsOf(t, con)
	assert.True(t, shown.Attached)
	require.Len(t, shown.Metrics, 2)
	assert.Contains(t, get(t, con, "/api/about").Body.String(), `"metrics":true`)
}

func TestAProviderThatWasShutDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		con := console.New(console.Config{})
		provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(con.MetricReader()))
		must(provider.Meter("test").Int64Counter("waybill.a")).Add(t.Context(), 1)
		assert.True(t, metricsOf(t, con).Attached)
		require.NoError(t, provider.Shutdown(t.Context()))
		time.Sleep(time.Minute)
		shown := metricsOf(t, con)
		assert.False(t, shown.Attached)
		assert.True(t, shown.ShutDown)
		assert.Empty(t, shown.Problem)
	})
}

// A callback that fails, or panics, costs its own metrics.
func TestCallbacksThatFail(t *testing.T) {
	var told error
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { told = errors.Join(told, err) }))
	defer otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {}))
	for _, fails := range []func() error{
		func() error { return errors.New("no <b>luck</b> " + strings.Repeat("x", 10_000)) },
		func() error { panic("no luck") },
	} {
		con, meter := metered(t)
		must(meterOf(t, con).Int64Counter("waybill.b")).Add(t.Context(), 1)
		must(meter.Int64ObservableCounter("waybill.a", metric.WithInt64Callback(func(context.Context, metric.Int64Observer) error { return fails() })))
		shown := metricsOf(t, con)
		assert.True(t, shown.Attached)
		assert.NotEmpty(t, shown.Problem)
		assert.Less(t, len(shown.Problem), 1100)
		require.Len(t, shown.Metrics, 1)
		assert.Equal(t, "waybill.b", shown.Metrics[0].Name)
	}
	assert.ErrorContains(t, told, "no luck")
}

// slow returns a console whose metrics take some time to collect, and counts how often
// that is done.
func slow(t *testing.T, takes time.Duration) (*console.Console, func() int64) {
	t.Helper()
	con, meter := metered(t)
	var mu sync.Mutex
	var collections, running int64
	must(meter.Int64ObservableCounter("waybill.collections", metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
		mu.Lock()
		collections++
		running++
		assert.EqualValues(t, 1, running, "one at a time")
		o.Observe(collections)
		mu.Unlock()
		time.Sleep(takes)
		mu.Lock()
		defer mu.Unlock()
		running--
		return nil
	})))
	return con, func() int64 {
		mu.Lock()
		defer mu.Unlock()
		return collections
	}
}

func TestCollectionsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		con, collections := slow(t, 50*time.Millisecond)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { assert.Len(t, metricsOf(t, con).Metrics, 1) })
			wg.Go(func() { assert.Contains(t, get(t, con, "/api/about").Body.String(), `"metrics":true`) })
		}
		wg.Wait()
		assert.EqualValues(t, 1, collections())
		time.Sleep(time.Second - time.Nanosecond)
		metricsOf(t, con)
		assert.EqualValues(t, 1, collections())
		time.Sleep(time.Nanosecond)
		metricsOf(t, con)
		assert.EqualValues(t, 2, collections())
	})
}

// Collections that take long are made a tenth of the time at most.
func TestLongCollectionsAreRare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		con, collections := slow(t, time.Second)
		begin := time.Now()
		for time.Since(begin) < 110*time.Second {
			metricsOf(t, con)
			time.Sleep(100 * time.Millisecond)
		}
		assert.InDelta(t, 10, collections(), 1)
	})
}

// A callback that hangs takes the metrics away, and nothing else.
func TestACallbackThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		con, collections := slow(t, time.Hour)
		begin := time.Now()
		assert.Contains(t, get(t, con, "/api/about").Body.String(), `"metrics":true`)
		assert.LessOrEqual(t, time.Since(begin), time.Second)
		assert.Equal(t, http.StatusServiceUnavailable, get(t, con, "/api/metrics").Code)
		assert.LessOrEqual(t, time.Since(begin), time.Minute)
		assert.EqualValues(t, 1, collections(), "one hangs, and no second one")
		time.Sleep(time.Hour)
		assert.Equal(t, http.StatusOK, get(t, con, "/api/metrics").Code, "it has come back")
	})
}

// A client that goes away while it waits does not end the collection for others.
func TestClientsThatGoAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		con, collections := slow(t, 5*time.Second)
		for range 3 { // The first collects, and the others wait.
			go func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				con.ServeHTTP(discard{}, must(http.NewRequestWithContext(ctx, http.MethodGet, "/api/metrics", http.NoBody)))
			}()
		}
		time.Sleep(2 * time.Second)
		shown := metricsOf(t, con)
		assert.Len(t, shown.Metrics, 1)
		assert.EqualValues(t, 1, collections())
		synctest.Wait()
	})
}

// discard is a client that nobody reads.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}
