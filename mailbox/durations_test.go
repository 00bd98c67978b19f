// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"math"
	"reflect"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/guard"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/timings"
	"github.com/waybill-go/waybill/sampling"
)

const (
	queueDuration    = "waybill.mailbox.queue.duration"
	handlingDuration = "waybill.mailbox.handling.duration"
)

type histogramPoint = metricdata.HistogramDataPoint[float64]

// histograms returns the histograms that a reader finds, by name, kind and type.
func histograms(t testing.TB, reader sdkmetric.Reader) map[string]histogramPoint {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	found := make(map[string]histogramPoint)
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			histogram, ok := m.Data.(metricdata.Histogram[float64])
			if !ok {
				continue
			}
			assert.Equal(t, "s", m.Unit)
			assert.NotEmpty(t, m.Description)
			for _, p := range histogram.DataPoints {
				assert.Equal(t, 2, p.Attributes.Len(), "nothing of a process")
				kind, _ := p.Attributes.Value("waybill.process.kind")
				typ, _ := p.Attributes.Value("waybill.message.type")
				found[m.Name+" "+kind.AsString()+" "+typ.AsString()] = p
			}
		}
	}
	return found
}

// measuring returns an option and a reader of the metrics.
func measuring() (mailbox.SystemOption, sdkmetric.Reader) {
	reader := sdkmetric.NewManualReader()
	return mailbox.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))), reader
}

// timed has n of 1 handlings timed.
func timed(t *testing.T, oneIn int) mailbox.SystemOption {
	t.Helper()
	return mailbox.WithControl(controlOf(t, sampling.KindConfig{TimeOneIn: oneIn}))
}

// Each message counts once, with the time that it waited and the time that it took, whatever
// becomes of it.
func TestDurationsOfAScript(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		metrics, reader := measuring()
		sys := newSystem(t, metrics, timed(t, 1))
		guild := spawn(t, sys, "guild", func(ctx context.Context, message any) error {
			switch m := message.(type) {
			case time.Duration:
				time.Sleep(m)
			case job:
				return m(ctx)
			}
			return nil
		}, mailbox.WithPanicPolicy(mailbox.Continue))
		for _, message := range []any{
			time.Second, sleepFor(20 * time.Millisecond), // The latter waits for a second.
			time.Millisecond, job(fails), job(panics), job(exits), nil,
		} {
			require.NoError(t, guild.Send(t.Context(), message))
		}
		settle()
		time.Sleep(time.Minute)
		found := histograms(t, reader)
		for name, want := range map[string]struct {
			count uint64
			sum   float64
		}{
			handlingDuration + " guild Duration": {2, 1.001},
			handlingDuration + " guild job":      {4, 0.02},
			handlingDuration + " guild nil":      {1, 0},
			queueDuration + " guild Duration":    {2, 1.02},
			queueDuration + " guild job":         {4, 1 + 3*1.021},
			queueDuration + " guild nil":         {1, 1.021},
		} {
			assert.Equal(t, want.count, found[name].Count, name)
			assert.InDelta(t, want.sum, found[name].Sum, float64(want.count)*aTick, name)
		}
		assert.Len(t, found, 6)
		drain(t, sys)
	})
}

// The buckets tell a microsecond from ten, and ten seconds from one.
func TestBucketsOfDurations(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		metrics, reader := measuring()
		sys := newSystem(t, metrics, timed(t, 1))
		worker := spawn(t, sys, "worker", do)
		var bounds []float64
		for d := time.Microsecond; d <= time.Minute; d *= 10 {
			sendAll(t, worker, sleepFor(d))
			time.Sleep(time.Hour)
		}
		point := histograms(t, reader)[handlingDuration+" worker job"]
		bounds = point.Bounds
		require.Len(t, point.BucketCounts, len(bounds)+1)
		assert.InDelta(t, 1e-6, bounds[0], 1e-12)
		assert.InDelta(t, 10, bounds[len(bounds)-1], 1e-12)
		for _, n := range point.BucketCounts {
			assert.LessOrEqual(t, n, uint64(1), "a bucket is not wider than a factor of ten")
		}
		drain(t, sys)
	})
}

// An exemplar leads to the span of the handling, or to the late span of one that was slow.
func TestExemplarsLeadToTraces(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		metrics, reader := measuring()
		late := sampling.Late{SlowerThan: time.Second}
		sys := rec.system(metrics, mailbox.WithControl(controlOf(t, sampling.KindConfig{TimeOneIn: 1, Late: late})))
		worker := spawn(t, sys, "worker", do)
		sendAll(t, worker, sleepFor(time.Millisecond)) // Untraced: no exemplar.
		settle()
		time.Sleep(time.Hour)
		for _, p := range histograms(t, reader) {
			assert.Empty(t, p.Exemplars)
		}

		rec.sent(worker, sleepFor(20*time.Millisecond))
		time.Sleep(time.Hour)
		sendSkipped(t, rec, sys, worker, sleepFor(2*time.Second))
		time.Sleep(time.Hour)
		spans := rec.all("worker job")
		require.Len(t, spans, 2)
		found := histograms(t, reader)
		took := make(map[trace.SpanID]float64)
		for _, e := range found[handlingDuration+" worker job"].Exemplars {
			took[trace.SpanID(e.SpanID)] = e.Value
		}
		require.Len(t, took, 2)
		for i, want := range []float64{0.02, 2} {
			assert.InDelta(t, want, took[spans[i].SpanContext.SpanID()], aTick)
		}
		waited := found[queueDuration+" worker job"].Exemplars
		require.Len(t, waited, 1, "the SDK keeps one for each bucket")
		assert.Contains(t, took, trace.SpanID(waited[0].SpanID))
		drain(t, sys)
	})
}

// What is timed is measured, and nothing else: without a control, with one that times
// nothing, and for a part of the messages. The store of timings agrees.
func TestWhatIsTimedIsMeasured(t *testing.T) {
	const messages = 20_000
	for name, test := range map[string]struct {
		opts        []mailbox.SystemOption
		store       *timings.Store
		least, most float64
	}{
		"no control":       {nil, nil, 0, 0},
		"nothing is timed": {[]mailbox.SystemOption{timed(t, 0)}, nil, 0, 0},
		"all":              {[]mailbox.SystemOption{timed(t, 1)}, timings.New(timings.Config{}), messages, messages},
		// Six standard deviations of one in twenty.
		"one in twenty": {[]mailbox.SystemOption{timed(t, 20)}, timings.New(timings.Config{}),
			messages/20.0 - 6*math.Sqrt(messages/20.0), messages/20.0 + 6*math.Sqrt(messages/20.0)},
	} {
		t.Run(name, func(t *testing.T) {
			metrics, reader := measuring()
			sys := newSystem(t, append(test.opts, metrics, mailbox.WithTimings(test.store))...)
			worker := spawn(t, sys, "worker", do)
			for range messages {
				require.NoError(t, worker.Send(t.Context(), nothing))
			}
			drain(t, sys)
			found := histograms(t, reader)
			for _, name := range []string{queueDuration, handlingDuration} {
				point := found[name+" worker job"]
				assert.GreaterOrEqual(t, float64(point.Count), test.least)
				assert.LessOrEqual(t, float64(point.Count), test.most)
				if test.store != nil {
					all := test.store.Kinds(timings.Query{Minutes: 2}).Kinds
					require.Len(t, all, 1)
					assert.Equal(t, all[0].All.Timed, point.Count)
				}
			}
		})
	}
}

// A program that makes types of messages as it runs keeps its memory and its metrics.
func TestTypesOfMessagesAreBounded(t *testing.T) {
	metrics, reader := measuring()
	sys := newSystem(t, metrics, timed(t, 1))
	for range 2 { // Kinds of one name share their types.
		worker := spawn(t, sys, "worker", func(context.Context, any) error { return nil })
		for i := range 100 {
			message := reflect.New(reflect.ArrayOf(i, reflect.TypeFor[bool]())).Elem().Interface()
			require.NoError(t, worker.Send(t.Context(), message))
		}
		require.NoError(t, worker.Stop(context.Background()))
	}
	found := histograms(t, reader)
	assert.Len(t, found, 2*(32+1))
	assert.EqualValues(t, 2, found[handlingDuration+" worker [31]bool"].Count)
	assert.EqualValues(t, 2*(100-32), found[handlingDuration+" worker others"].Count)
	drain(t, sys)
}

// A histogram that does something else than to record.
type badHistogram struct {
	noop.Float64Histogram

	record func()
}

func (h badHistogram) Record(context.Context, float64, ...metric.RecordOption) { h.record() }

// badProvider is a provider whose histograms are bad, or that makes none.
type badProvider struct {
	noop.MeterProvider

	make   func() error
	record func()
}

func (p badProvider) Meter(string, ...metric.MeterOption) metric.Meter { return badMeter{bad: p} }

type badMeter struct {
	noop.Meter

	bad badProvider
}

func (m badMeter) Float64Histogram(string, ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	return badHistogram{record: m.bad.record}, m.bad.make()
}

// Whatever a meter does, messages are handled and counted, calls answered, and their spans
// end.
func TestDurationsSurviveWhatIsPluggedIn(t *testing.T) {
	good := func() error { return nil }
	for name, provider := range map[string]badProvider{
		"panics":                 {make: good, record: func() { panic("a histogram panics") }},
		"ends the goroutine":     {make: good, record: runtime.Goexit},
		"panics at the start":    {make: func() error { panic("a meter panics") }},
		"refuses its histograms": {make: func() error { return errSpilt }},
	} {
		t.Run(name, func(t *testing.T) {
			rec, before := record(t), guard.Recovered()
			sys := rec.system(mailbox.WithMeterProvider(provider), timed(t, 1))
			worker := spawn(t, sys, "worker", do, mailbox.WithPanicPolicy(mailbox.Continue))
			for range 10 {
				sendAll(t, worker, nothing, fails, panics, exits)
				rec.sent(worker, nothing, fails)
				n, err := call(t.Context(), worker, answer)
				require.NoError(t, err)
				assert.Equal(t, 1, n)
			}
			drain(t, sys)
			stats := sys.Stats()
			assert.EqualValues(t, 30, stats.Handled)
			assert.EqualValues(t, 40, stats.Failed)
			requireAtRest(t, stats)
			assert.Len(t, rec.all("worker job"), 20)
			if provider.record != nil && name == "panics" {
				assert.Equal(t, before+70, guard.Recovered())
			}
		})
	}
}

func TestDurationsHaveTheAttributesOfTheSystem(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	attrs := []attribute.KeyValue{attribute.String("system", "main")}
	sys := newSystem(t, timed(t, 1), mailbox.WithMeterProvider(
		sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)), attrs...))
	attrs[0] = attribute.String("system", "changed")
	pass(t, spawn(t, sys, "worker", do))
	drain(t, sys)
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	found := 0
	for _, m := range all.ScopeMetrics[0].Metrics {
		if h, ok := m.Data.(metricdata.Histogram[float64]); ok {
			value, _ := h.DataPoints[0].Attributes.Value("system")
			assert.Equal(t, "main", value.AsString())
			found++
		}
	}
	assert.Equal(t, 2, found)
}
