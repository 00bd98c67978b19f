// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/waybill-go/waybill/mailbox"
)

// readings are what a collection says of one kind, by the names that MetricsOf has.
type readings struct {
	sums     map[string]uint64
	measured map[string]uint64 // counts of histograms
	members  int64             // the sum of the sizes of broadcasts
}

// readingsOf returns what a collection says of the only kind.
func readingsOf(t require.TestingT, reader sdkmetric.Reader) readings {
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(context.Background(), &all))
	r := readings{sums: make(map[string]uint64), measured: make(map[string]uint64)}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					name := m.Name
					if reason, ok := p.Attributes.Value("waybill.mailbox.reason"); ok {
						name += " " + reason.AsString()
					}
					r.sums[name] += uint64(p.Value)
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					r.measured[m.Name] += p.Count
				}
			case metricdata.Histogram[int64]:
				for _, p := range data.DataPoints {
					r.measured[m.Name] += p.Count
					r.members += p.Sum
				}
			}
		}
	}
	return r
}

// of returns a sum over all reasons.
func (r readings) of(name string) (sum uint64) {
	for full, n := range r.sums {
		if before, _, _ := strings.Cut(full, " "); before == "waybill.mailbox."+name {
			sum += n
		}
	}
	return sum
}

// mistakes says where the metrics of one collection do not add up.
func (r readings) mistakes() (list []string) {
	became := r.of("handled") + r.of("failed") + r.of("dead_letters") + r.of("queued")
	if accepted := r.of("accepted"); accepted != became {
		list = append(list, fmt.Sprintf("%d accepted, and %d became something: %v", accepted, became, r.sums))
	}
	return list
}

// differences says where the metrics differ from the counts.
func (r readings) differences(s mailbox.Stats) (list []string) {
	for name, want := range mailbox.MetricsOf(s) {
		if got, ok := r.sums[name]; !ok || got != want {
			list = append(list, fmt.Sprintf("%s is %d instead of %d", name, got, want))
		}
	}
	for _, name := range []string{queueDuration, handlingDuration} {
		if got, want := r.measured[name], s.Handled+s.Failed; got != want {
			list = append(list, fmt.Sprintf("%s has %d instead of %d", name, got, want))
		}
	}
	broadcasts, members := r.sums["waybill.fanout.broadcasts"], r.sums["waybill.fanout.delivered"]+r.sums["waybill.fanout.refused"]
	if sizes := r.measured["waybill.fanout.size"]; sizes != broadcasts || uint64(r.members) != members {
		list = append(list, fmt.Sprintf("%d broadcasts to %d members, but sizes of %d to %d", broadcasts, members, sizes, r.members))
	}
	return list
}

// Whatever a program does, each collection adds up while it runs, and what is collected in
// the end is what was counted: each message once.
func TestMetricsMatchTheCountsOfPrograms(t *testing.T) {
	programs := stressPrograms(4, 6, 200, 500)
	first := rand.IntN(1 << 30)
	for seed := first; seed < first+20; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			program := programs.Example(seed)
			metrics, reader := measuring()
			r := newStressRun(newStressService(t, program.Settings, metrics, timed(t, 1)), program)
			over := make(chan struct{})
			var collecting sync.WaitGroup
			collecting.Go(func() {
				for {
					select {
					case <-over:
						return
					default:
						begin := time.Now()
						assert.Empty(t, readingsOf(t, reader).mistakes())
						// With one processor, the program needs its share.
						time.Sleep(max(stressShort, time.Since(begin)))
					}
				}
			})
			r.play(t, r.shutdown)
			close(over)
			collecting.Wait()
			stats := r.sys.Stats()
			require.Empty(t, r.mistakes(stats))
			last := readingsOf(t, reader)
			assert.Empty(t, last.mistakes())
			assert.Empty(t, last.differences(stats))
		})
	}
}

// A script of which every figure is known beforehand.
func TestMetricsOfAScript(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		metrics, reader := measuring()
		sys := newSystem(t, metrics, timed(t, 1))
		kind := newKind[job](t, sys, "worker", mailbox.WithCapacity(2), mailbox.WithOverflow(mailbox.Refuse),
			mailbox.WithPanicPolicy(mailbox.Continue))
		worker, err := kind.Spawn("1", do)
		require.NoError(t, err)
		doomed, err := kind.Spawn("2", do)
		require.NoError(t, err)
		for _, j := range []job{nothing, fails, panics, exits, nothing} {
			sendAll(t, worker, j)
			settle()
		}
		release := keepBusy(t, worker)
		sendAll(t, worker, nothing, fails)
		require.ErrorIs(t, worker.Send(t.Context(), nothing), mailbox.ErrFull)
		expired, cancel := context.WithCancel(t.Context())
		cancel()
		releaseDoomed := keepBusy(t, doomed)
		_, err = call(expired, doomed, answer)
		require.ErrorIs(t, err, context.Canceled)
		sendAll(t, doomed, nothing)
		doomed.Kill()
		require.ErrorIs(t, doomed.Send(t.Context(), nothing), mailbox.ErrStopped)

		settle()
		want := map[string]uint64{
			"processes": 2, "accepted": 11, "refused full": 1, "refused stopped": 1,
			"handled": 2, "failed error": 1, "failed panic": 1, "failed goexit": 1, "queued": 6,
		}
		check := func() {
			t.Helper()
			found := readingsOf(t, reader)
			for name, n := range found.sums {
				if name = strings.TrimPrefix(name, "waybill.mailbox."); name != "workers" {
					assert.Equal(t, want[name], n, name)
				}
			}
			assert.Empty(t, found.mistakes())
			assert.Equal(t, want["handled"]+want["failed error"]+want["failed panic"]+want["failed goexit"],
				found.measured[handlingDuration])
		}
		check()
		releaseDoomed()
		release()
		settle()
		want["processes"], want["queued"] = 1, 0
		want["handled"] += 3   // Both that were held, and one behind them.
		want["failed error"]++ // Behind the first.
		want["dead_letters killed"] = 2
		check()
		drain(t, sys)
		want["processes"] = 0
		check()
	})
}

// If a message were counted twice, or not at all, the tests above would say so.
func TestWrongMetricsAreFound(t *testing.T) {
	metrics, reader := measuring()
	sys := newSystem(t, metrics, timed(t, 1))
	worker := spawn(t, sys, "worker", do)
	sendAll(t, worker, nothing, fails)
	drain(t, sys)
	found := readingsOf(t, reader)
	require.Empty(t, found.mistakes())
	require.Empty(t, found.differences(sys.Stats()))
	for name := range found.sums {
		switch strings.TrimPrefix(name, "waybill.mailbox.") {
		case "workers", "runnable", "traced", "chains.cut", "late":
			continue // They are no counts of messages.
		}
		found.sums[name]++
		assert.NotEmpty(t, found.differences(sys.Stats()), name)
		found.sums[name]--
	}
	for _, name := range []string{"accepted", "handled", "failed error", "queued", "dead_letters dropped"} {
		found.sums["waybill.mailbox."+name]++
		assert.NotEmpty(t, found.mistakes(), name)
		found.sums["waybill.mailbox."+name]--
	}
	found.measured[queueDuration]++
	assert.Len(t, found.differences(sys.Stats()), 1)
	found.members++
	assert.Len(t, found.differences(sys.Stats()), 2)
}

// The metrics of many processes with IDs have as many points as those of one.
func TestMetricsHaveNothingOfAProcess(t *testing.T) {
	points := func(processes int) (attributes map[attribute.Key]bool, n int) {
		metrics, reader := measuring()
		sys := newSystem(t, metrics, timed(t, 1))
		kind, group := newKind[job](t, sys, "worker"), newGroup[job](t, sys, "workers")
		for i := range processes {
			ref, err := kind.Spawn(fmt.Sprint("user ", i), do)
			require.NoError(t, err)
			sendAll(t, ref, nothing, fails)
			require.NoError(t, group.Join(ref))
		}
		group.Broadcast(t.Context(), nothing)
		drain(t, sys)
		var all metricdata.ResourceMetrics
		require.NoError(t, reader.Collect(t.Context(), &all))
		attributes = make(map[attribute.Key]bool)
		note := func(set attribute.Set) {
			n++
			for _, a := range set.ToSlice() {
				attributes[a.Key] = true
				assert.NotContains(t, a.Value.String(), "user")
			}
		}
		for _, m := range all.ScopeMetrics[0].Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					note(p.Attributes)
				}
			case metricdata.Gauge[float64]:
				for _, p := range data.DataPoints {
					note(p.Attributes)
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					note(p.Attributes)
				}
			case metricdata.Histogram[int64]:
				for _, p := range data.DataPoints {
					note(p.Attributes)
				}
			default:
				t.Errorf("%s: unexpected %T", m.Name, data)
			}
		}
		return attributes, n
	}
	keys, few := points(1)
	_, many := points(1_000)
	assert.Equal(t, few, many)
	assert.Equal(t, map[attribute.Key]bool{
		"waybill.process.kind": true, "waybill.message.type": true, "waybill.mailbox.reason": true,
		"waybill.worker.state": true, "waybill.late.reason": true, "waybill.fanout.group": true,
	}, keys)
}
