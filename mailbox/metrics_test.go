// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
)

// measured returns the sums that a reader finds of processes: each point by its name and
// attributes, and which names may fall.
func measured(t *testing.T, reader sdkmetric.Reader) (points map[string]int64, falling []string) {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	points = map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			assert.NotEmpty(t, m.Description)
			name := strings.TrimPrefix(m.Name, "waybill.mailbox.")
			if strings.HasPrefix(name, "waybill.fanout.") {
				continue
			}
			assert.NotEqual(t, m.Name, name)
			sum, ok := m.Data.(metricdata.Sum[int64])
			if !ok {
				continue
			}
			assert.Regexp(t, `^\{[a-z]+\}$`, m.Unit)
			if !sum.IsMonotonic {
				falling = append(falling, name)
			}
			for _, point := range sum.DataPoints {
				points[name+"{"+point.Attributes.Encoded(attribute.DefaultEncoder())+"}"] = point.Value
			}
		}
	}
	return points, falling
}

func TestMetricsAreTheCountsOfKinds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		control, err := sampling.NewControl(sampling.Config{})
		require.NoError(t, err)
		sys := newSystem(t, mailbox.WithControl(control))
		reader := sdkmetric.NewManualReader()
		meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test")
		registration, err := sys.RegisterMetrics(meter, attribute.String("system", "main"))
		require.NoError(t, err)
		points, _ := measured(t, reader)
		assert.Len(t, points, 3, "no kinds, no figures but those of workers")

		worker, clerk := spawn(t, sys, "worker", do), spawn(t, sys, "clerk", do)
		sendAll(t, worker, nothing, fails)
		sendAll(t, clerk, nothing)
		settle()
		require.NoError(t, clerk.Stop(t.Context()))
		require.ErrorIs(t, clerk.Send(context.Background(), nothing), mailbox.ErrStopped)
		points, falling := measured(t, reader)
		for name, want := range map[string]int64{
			"processes{system=main,waybill.process.kind=worker}":                                  1,
			"processes{system=main,waybill.process.kind=clerk}":                                   0,
			"accepted{system=main,waybill.process.kind=worker}":                                   2,
			"failed{system=main,waybill.mailbox.reason=error,waybill.process.kind=worker}":        1,
			"handled{system=main,waybill.process.kind=clerk}":                                     1,
			"refused{system=main,waybill.mailbox.reason=stopped,waybill.process.kind=clerk}":      1,
			"refused{system=main,waybill.mailbox.reason=full,waybill.process.kind=clerk}":         0,
			"dead_letters{system=main,waybill.mailbox.reason=expired,waybill.process.kind=clerk}": 0,
			"workers{system=main,waybill.worker.state=blocked}":                                   0,
			"runnable{system=main}": 0,
		} {
			got, ok := points[name]
			assert.True(t, ok, name)
			assert.Equal(t, want, got, name)
		}
		assert.ElementsMatch(t, []string{"processes", "waiting", "queued", "workers", "runnable"}, falling)
		const ofWorkers = 3
		const ofSpans = 2 + 12
		assert.Len(t, points, 2*(len(mailbox.MetricsOf(mailbox.Stats{}))+ofSpans)+ofWorkers, "of two kinds, and nothing of a process")

		require.NoError(t, registration.Unregister())
		points, _ = measured(t, reader)
		assert.Empty(t, points)
		drain(t, sys)
	})
}

// Every figure has a metric of its own, and that is the right one.
func TestEveryFigureHasAMetric(t *testing.T) {
	stats := mailbox.DistinctStats()
	metrics := mailbox.MetricsOf(stats)
	var values []uint64
	for _, v := range metrics {
		values = append(values, v)
	}
	byReason := stats
	byReason.Failed -= stats.Panicked + stats.Exited
	assert.ElementsMatch(t, figures(reflect.ValueOf(byReason)), values)
	for name, want := range map[string]uint64{
		"waybill.mailbox.processes": 1, "waybill.mailbox.accepted": 2,
		"waybill.mailbox.refused full": 3, "waybill.mailbox.refused stopped": 4, "waybill.mailbox.refused cancelled": 5,
		"waybill.mailbox.waiting": 6, "waybill.mailbox.queued": 7, "waybill.mailbox.handled": 8,
		"waybill.mailbox.failed error": 9, "waybill.mailbox.failed panic": 23, "waybill.mailbox.failed goexit": 27,
		"waybill.mailbox.dead_letters killed": 10, "waybill.mailbox.dead_letters failed": 11,
		"waybill.mailbox.dead_letters dropped": 12, "waybill.mailbox.dead_letters expired": 13,
		"waybill.mailbox.late_replies": 14, "waybill.mailbox.restarts": 15, "waybill.mailbox.passivated": 16,
		"waybill.mailbox.save_failures": 17, "waybill.mailbox.close_failures": 18, "waybill.mailbox.late.shed": 19,
		"waybill.mailbox.events.lost": 20, "waybill.mailbox.slow": 21,
	} {
		assert.Equal(t, want, metrics[name], name)
	}
}

// Errors, panics and goroutines that a handler has ended are told apart, and Failed is the
// sum of all.
func TestFailuresByReason(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		reader := sdkmetric.NewManualReader()
		sys := newSystem(t, mailbox.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))))
		worker := spawn(t, sys, "worker", do, mailbox.WithPanicPolicy(mailbox.Continue))
		sendAll(t, worker, fails, panics, exits, nothing)
		sendAll(t, worker, fails, panics)
		sendAll(t, worker, fails)
		settle()
		s := sys.Stats()
		assert.Equal(t, []uint64{6, 2, 1, 1}, []uint64{s.Failed, s.Panicked, s.Exited, s.Handled})
		points, _ := measured(t, reader)
		for reason, want := range map[string]int64{"error": 3, "panic": 2, "goexit": 1} {
			set := attribute.NewSet(
				attribute.String("waybill.process.kind", "worker"), attribute.String("waybill.mailbox.reason", reason))
			assert.Equal(t, want, points["failed{"+set.Encoded(attribute.DefaultEncoder())+"}"], reason)
		}
		requireAtRest(t, s)
		drain(t, sys)
	})
}

// On a 32-bit machine an int is half as large as a uint64: what follows it is not aligned
// for atomic operations, which panic then.
func TestWhatIsCountedIsAlignedEverywhere(t *testing.T) {
	var narrow string // name of the first field that is no uint64
	var look func(reflect.Type)
	look = func(s reflect.Type) {
		for f := range s.Fields() {
			switch f.Type.Kind() {
			case reflect.Struct:
				look(f.Type)
			case reflect.Uint64:
				assert.Empty(t, narrow, "before %s", f.Name)
			default:
				narrow = f.Name
			}
		}
	}
	look(reflect.TypeFor[mailbox.Stats]())
	assert.Equal(t, "Processes", narrow)
}

func TestRegisterWithoutAMeter(t *testing.T) {
	registration, err := newSystem(t).RegisterMetrics(nil)
	assert.Nil(t, registration)
	require.ErrorContains(t, err, "mailbox: metrics: no meter")
}

func TestSystemReportsToItsMeterProvider(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	for _, name := range []string{"one", "other"} {
		sys := newSystem(t, mailbox.WithMeterProvider(provider, attribute.String("system", name)))
		pass(t, spawn(t, sys, "worker", do))
		drain(t, sys)
	}
	points, _ := measured(t, reader)
	for _, name := range []string{"one", "other"} {
		assert.EqualValues(t, 1, points["handled{system="+name+",waybill.process.kind=worker}"], "after the end too")
	}
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	require.Len(t, all.ScopeMetrics, 1)
	assert.Equal(t, "github.com/waybill-go/waybill/mailbox", all.ScopeMetrics[0].Scope.Name)
	assert.NotEmpty(t, all.ScopeMetrics[0].Scope.Version)
}

// A system that is registered twice is not counted twice, and whoever does it is
// told.
func TestSystemIsRegisteredOnce(t *testing.T) {
	sys := newSystem(t)
	reader := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	_, err := sys.RegisterMetrics(provider.Meter("test"))
	require.NoError(t, err)
	_, err = sys.RegisterMetrics(provider.Meter("test"))
	require.ErrorContains(t, err, "already")

	worker := spawn(t, sys, "worker", do)
	sendAll(t, worker, nothing)
	drain(t, sys)
	points, _ := measured(t, reader)
	assert.EqualValues(t, 1, points["accepted{waybill.process.kind=worker}"])
}
