// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/guard"
	"github.com/waybill-go/waybill/internal/stattest"
)

// channelMetrics are what a reader finds, by name, name of the loop, and the attribute that
// tells values of one name apart.
type channelMetrics struct {
	values    map[string]float64
	durations map[string]metricdata.HistogramDataPoint[float64]
}

func collect(t testing.TB, reader sdkmetric.Reader) channelMetrics {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	found := channelMetrics{make(map[string]float64), make(map[string]metricdata.HistogramDataPoint[float64])}
	nameOf := func(name string, set attribute.Set) string {
		loop, ok := set.Value("waybill.channel.name")
		if !ok {
			assert.True(t, set.HasValue("otel.metric.overflow"), "the SDK has a bound too")
		}
		name += " " + loop.AsString()
		for _, key := range []attribute.Key{"waybill.message.trace", "waybill.channel.reason", "waybill.message.type"} {
			if value, ok := set.Value(key); ok {
				name += " " + value.AsString()
			}
		}
		return name
	}
	for _, scope := range all.ScopeMetrics {
		assert.Equal(t, "github.com/waybill-go/waybill/envelope", scope.Scope.Name)
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					found.values[nameOf(m.Name, p.Attributes)] = float64(p.Value)
				}
			case metricdata.Gauge[float64]:
				for _, p := range data.DataPoints {
					found.values[nameOf(m.Name, p.Attributes)] = p.Value
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					found.durations[nameOf(m.Name, p.Attributes)] = p
				}
			}
		}
	}
	return found
}

func measuring() (envelope.ReceiveOption, sdkmetric.Reader) {
	reader := sdkmetric.NewManualReader()
	return envelope.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))), reader
}

var errSpoilt = errors.New("spoilt")

// handleIt returns a handler that does what the ID of an order says.
func handleIt(_ context.Context, o order) error {
	switch o.ID {
	case 1:
		return errSpoilt
	case 2:
		panic(errSpoilt)
	case 3:
		runtime.Goexit()
	case 4:
		time.Sleep(time.Second)
	}
	return nil
}

// elsewhere calls f on a goroutine of its own, whatever becomes of that.
func elsewhere(f func()) (panicked any) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { panicked = recover() }()
		f()
	}()
	<-done
	return panicked
}

// Each message is counted once, by whether it came with a trace and by what became of it.
func TestMetricsOfAHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		metrics, reader := measuring()
		provider, recorder := newProvider(t)
		handle := envelope.Handler(t.Context(), "pack", handleIt, metrics, envelope.WithTracerProvider(provider))
		traced := envelope.Wrap(sampledContext(t), order{4})
		time.Sleep(3 * time.Second)
		require.NoError(t, handle(traced))
		require.NoError(t, handle(envelope.Wrap(unsampledContext(t), order{})))
		require.NoError(t, handle(envelope.Wrap(withBaggage(t, t.Context(), "acme"), order{})))
		require.ErrorIs(t, handle(envelope.Bare(order{1})), errSpoilt)
		for _, ctx := range []context.Context{sampledContext(t), t.Context()} {
			assert.Equal(t, errSpoilt, elsewhere(func() { _ = handle(envelope.Wrap(ctx, order{2})) }), "the panic goes on")
			assert.Nil(t, elsewhere(func() { _ = handle(envelope.Wrap(ctx, order{3})) }))
		}
		found := collect(t, reader)
		assert.Equal(t, map[string]float64{
			"waybill.channel.received pack traced": 3, "waybill.channel.received pack unsampled": 1,
			"waybill.channel.received pack untraced": 4,
			"waybill.channel.handled pack":           3, "waybill.channel.failed pack error": 1,
			"waybill.channel.failed pack panic": 2, "waybill.channel.failed pack goexit": 2,
			"waybill.channel.queued pack": 0, "waybill.channel.utilization pack": 0,
		}, found.values)
		handling := found.durations["waybill.channel.handling.duration pack order"]
		assert.EqualValues(t, 8, handling.Count)
		assert.InDelta(t, 1, handling.Sum, 1e-9)
		queue := found.durations["waybill.channel.queue.duration pack order"]
		assert.EqualValues(t, 3, queue.Count, "of the others nobody knows when they were sent")
		assert.InDelta(t, 3, queue.Sum, 1e-9)
		spans := recorder.Ended()
		require.Len(t, spans, 3)
		id := spans[0].SpanContext().SpanID()
		for _, p := range found.durations {
			assert.True(t, slices.ContainsFunc(p.Exemplars, func(e metricdata.Exemplar[float64]) bool {
				return slices.Equal(e.SpanID, id[:])
			}), "an exemplar leads to the slow one")
		}
	})
}

func TestMetricsOfABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		metrics, reader := measuring()
		provider, _ := newProvider(t)
		wrong := false
		handle := envelope.BatchHandler(t.Context(), "pack", func(context.Context, []envelope.Envelope[order]) error {
			time.Sleep(time.Second)
			if wrong {
				return errSpoilt
			}
			return nil
		}, metrics, envelope.WithTracerProvider(provider))
		first := envelope.Wrap(sampledContext(t), order{})
		time.Sleep(time.Second)
		second := envelope.Wrap(sampledContext(t), order{})
		time.Sleep(time.Second)
		require.NoError(t, handle([]envelope.Envelope[order]{first, second, envelope.Bare(order{})}))
		wrong = true
		require.ErrorIs(t, handle([]envelope.Envelope[order]{envelope.Bare(order{}), envelope.Bare(order{})}), errSpoilt)
		require.ErrorIs(t, handle(nil), errSpoilt)
		found := collect(t, reader)
		for name, want := range map[string]float64{
			"received pack traced": 2, "received pack untraced": 3, "handled pack": 3, "failed pack error": 2,
		} {
			assert.InDelta(t, want, found.values["waybill.channel."+name], 0, name)
		}
		assert.EqualValues(t, 3, found.durations["waybill.channel.handling.duration pack order"].Count, "once for each batch")
		assert.InDelta(t, 2+1, found.durations["waybill.channel.queue.duration pack order"].Sum, 1e-9)
	})
}

// A loop tells how full its channel is while it runs. Loops over the same channel tell it
// once.
func TestMetricsOfLoops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		metrics, reader := measuring()
		shared, other := make(chan envelope.Envelope[order], 10), make(chan envelope.Envelope[order], 4)
		none := make(chan envelope.Envelope[order])
		release := make(chan struct{})
		var loops sync.WaitGroup
		for _, ch := range []chan envelope.Envelope[order]{shared, shared, other, none} {
			loops.Go(func() {
				for range envelope.Receive(t.Context(), ch, "pack", metrics) {
					<-release
				}
			})
		}
		for i := range 8 {
			require.NoError(t, envelope.Send(t.Context(), shared, order{i}))
		}
		for i := range 4 {
			require.NoError(t, envelope.Send(t.Context(), other, order{i}))
		}
		synctest.Wait()
		found := collect(t, reader).values
		assert.InDelta(t, 6+3, found["waybill.channel.queued pack"], 0, "both loops have one in hand")
		assert.InDelta(t, 0.75, found["waybill.channel.utilization pack"], 0, "of the fullest")
		assert.InDelta(t, 3, found["waybill.channel.received pack untraced"], 0)
		assert.Zero(t, found["waybill.channel.handled pack"])
		close(release)
		synctest.Wait()
		found = collect(t, reader).values
		assert.InDelta(t, 12, found["waybill.channel.handled pack"], 0)
		assert.Zero(t, found["waybill.channel.queued pack"])
		close(shared)
		close(other)
		close(none)
		loops.Wait()

		left := make(chan envelope.Envelope[order], 10)
		for i := range 5 {
			left <- envelope.Bare(order{i})
		}
		for range envelope.Receive(t.Context(), left, "pack", metrics) {
			assert.InDelta(t, 4, collect(t, reader).values["waybill.channel.queued pack"], 0)
			break
		}
		assert.Panics(t, func() {
			for range envelope.Receive(t.Context(), left, "pack", metrics) {
				panic("spoilt")
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var end error
		for range envelope.Receive(ctx, left, "pack", metrics, envelope.WithErr(&end)) {
			t.Error("its context has ended")
		}
		require.ErrorIs(t, end, context.Canceled)
		found = collect(t, reader).values
		assert.Zero(t, found["waybill.channel.queued pack"], "nobody receives from it any more")
		assert.InDelta(t, 13, found["waybill.channel.handled pack"], 0, "to leave a loop is no failure")
		assert.InDelta(t, 1, found["waybill.channel.failed pack panic"], 0)
	})
}

// Metrics match the counts of senders and handlers exactly, whatever comes.
func TestMetricsMatchARandomLoad(t *testing.T) {
	const messages = 3_000
	random := stattest.Seeded(t)
	metrics, reader := measuring()
	provider, _ := newProvider(t)
	handle := envelope.Handler(t.Context(), "pack", handleIt, metrics, envelope.WithTracerProvider(provider))
	again := envelope.Handler(t.Context(), "pack", func(ctx context.Context, o any) error { return handleIt(ctx, o.(order)) }, metrics)
	want := make(map[string]float64)
	var handling sync.WaitGroup
	for range messages {
		ctx, came := t.Context(), "untraced"
		switch random.IntN(3) {
		case 1:
			ctx, came = sampledContext(t), "traced"
		case 2:
			ctx, came = unsampledContext(t), "unsampled"
		}
		o := order{random.IntN(4)}
		want["received pack "+came]++
		want[[]string{"handled pack", "failed pack error", "failed pack panic", "failed pack goexit"}[o.ID]]++
		other := random.IntN(2) == 0
		handling.Go(func() {
			elsewhere(func() {
				if other {
					_ = again(envelope.Wrap[any](ctx, o))
				} else {
					_ = handle(envelope.Wrap(ctx, o))
				}
			})
		})
	}
	handling.Wait()
	found := collect(t, reader)
	for name, n := range want {
		assert.InDelta(t, n, found.values["waybill.channel."+name], 0, name)
	}
	assert.EqualValues(t, messages, found.durations["waybill.channel.handling.duration pack order"].Count)
	assert.InDelta(t, want["received pack traced"], float64(found.durations["waybill.channel.queue.duration pack order"].Count), 0)
}

// Loops that are given the same provider and attributes are counted together, and others
// apart. Names are bounded.
func TestMetricsOfSeveralReceivers(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	for _, region := range []string{"north", "south", "north"} {
		metrics := envelope.WithMeterProvider(provider, attribute.String("region", region))
		require.NoError(t, envelope.Handler(t.Context(), "pack", handleIt, metrics)(envelope.Bare(order{})))
	}
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	handled := make(map[string]int64)
	for _, m := range all.ScopeMetrics[0].Metrics {
		if m.Name == "waybill.channel.handled" {
			for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
				region, _ := p.Attributes.Value("region")
				handled[region.AsString()] = p.Value
			}
		}
	}
	assert.Equal(t, map[string]int64{"north": 2, "south": 1}, handled)

	metrics, reader2 := measuring()
	for i := range 1_100 {
		handle := envelope.Handler(t.Context(), "user "+string(rune('a'+i%26))+string(rune('a'+i/26)), handleIt, metrics)
		require.NoError(t, handle(envelope.Bare(order{})))
	}
	assert.InDelta(t, 100, collect(t, reader2).values["waybill.channel.handled others"], 0)
}

// badProvider is a provider whose histograms panic, or that makes none. It cannot be
// compared.
type badProvider struct {
	noop.MeterProvider

	make func() error
}

func (p badProvider) Meter(string, ...metric.MeterOption) metric.Meter { return badMeter{make: p.make} }

type badMeter struct {
	noop.Meter

	make func() error
}

func (m badMeter) Float64Histogram(string, ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	return badHistogram{}, m.make()
}

type badHistogram struct{ noop.Float64Histogram }

func (badHistogram) Record(context.Context, float64, ...metric.RecordOption) {
	panic("a histogram panics")
}

func TestReceivingSurvivesMeters(t *testing.T) {
	for name, provider := range map[string]badProvider{
		"panics":                 {make: func() error { return nil }},
		"panics at the start":    {make: func() error { panic("a meter panics") }},
		"refuses its histograms": {make: func() error { return errSpoilt }},
	} {
		t.Run(name, func(t *testing.T) {
			before := guard.Recovered()
			metrics := envelope.WithMeterProvider(provider)
			handle := envelope.Handler(t.Context(), "pack", handleIt, metrics)
			require.NoError(t, handle(envelope.Bare(order{})))
			require.ErrorIs(t, handle(envelope.Bare(order{1})), errSpoilt)
			bodies := 0
			for range envelope.Receive(t.Context(), filled(t, sampledContext(t), order{1}, order{2}), "r", metrics) {
				bodies++
			}
			assert.Equal(t, 2, bodies)
			if name != "refuses its histograms" {
				assert.Greater(t, guard.Recovered(), before)
			}
		})
	}
	handle := envelope.Handler(t.Context(), "pack", handleIt, envelope.WithMeterProvider(nil))
	require.NoError(t, handle(envelope.Bare(order{})))
}

// BenchmarkMeasured measures what metrics cost for each message.
func BenchmarkMeasured(b *testing.B) {
	metrics, _ := measuring()
	for name, opts := range map[string][]envelope.ReceiveOption{"without": nil, "with": {metrics}} {
		b.Run(name, func(b *testing.B) {
			handle := envelope.Handler(b.Context(), "pack", func(context.Context, order) error { return nil }, opts...)
			b.ReportAllocs()
			for b.Loop() {
				_ = handle(envelope.Bare(order{1}))
			}
		})
	}
}
