// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/waybill-go/waybill/mailbox"
)

// aTick is how far the clock that senders read may be behind.
const aTick = float64(time.Millisecond) / float64(time.Second)

// gauges returns the gauges that a reader finds, by name and kind.
func gauges(t *testing.T, reader sdkmetric.Reader) map[string]float64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	found := make(map[string]float64)
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			gauge, ok := m.Data.(metricdata.Gauge[float64])
			if !ok {
				continue
			}
			for _, p := range gauge.DataPoints {
				require.Equal(t, 1, p.Attributes.Len(), "nothing of a process")
				kind, _ := p.Attributes.Value("waybill.process.kind")
				found[m.Name+" "+kind.AsString()] = p.Value
			}
		}
	}
	return found
}

// reporting returns a system and a reader of its metrics.
func reporting(t *testing.T) (*mailbox.System, sdkmetric.Reader) {
	t.Helper()
	reader := sdkmetric.NewManualReader()
	return newSystem(t, mailbox.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))), reader
}

// One full mailbox is seen among thousands, where a sum says hardly anything.
func TestFullestMailbox(t *testing.T) {
	sys, reader := reporting(t)
	guilds, sessions := newKind[job](t, sys, "guild"), newKind[job](t, sys, "session", mailbox.WithCapacity(40))
	for i := range 10_000 {
		for _, k := range []*mailbox.Kind[job]{guilds, sessions} {
			_, err := k.Spawn(strconv.Itoa(i), do)
			require.NoError(t, err)
		}
	}
	full, err := guilds.Spawn("full", do)
	require.NoError(t, err)
	less, err := guilds.Spawn("less full", do)
	require.NoError(t, err)
	session, err := sessions.Spawn("half full", do)
	require.NoError(t, err)
	for ref, waiting := range map[mailbox.Ref[job]]int{full: 1024, less: 512, session: 20} {
		t.Cleanup(keepBusy(t, ref))
		sendAll(t, ref, nothings(waiting)...)
	}
	require.ErrorIs(t, full.TrySend(t.Context(), nothing), mailbox.ErrFull)
	found := gauges(t, reader)
	for name, want := range map[string]float64{
		"waybill.mailbox.fullest guild": 1024, "waybill.mailbox.utilization guild": 1,
		"waybill.mailbox.fullest session": 20, "waybill.mailbox.utilization session": 0.5,
	} {
		assert.Equal(t, want, found[name], name)
	}
	assert.Len(t, found, 2*3)
}

// A handler that hangs shows in the age of the oldest message, whether messages wait behind
// its own or not, and however the process came to it.
func TestOldestMessage(t *testing.T) {
	const oldest = "waybill.mailbox.oldest worker"
	inBubble(t, func(t *testing.T) {
		sys, reader := reporting(t)
		idle := spawn(t, sys, "worker", do)
		pass(t, idle)
		settle()
		assert.Zero(t, gauges(t, reader)[oldest])

		worker := spawn(t, sys, "worker", do)
		var releases []func()
		var sent []time.Time
		for i := range 6 { // The first is handled at once, those behind it together.
			if i == 4 {
				releases[0]() // And the others after another while.
				settle()
			}
			j, _, release := hold()
			releases, sent = append(releases, release), append(sent, time.Now())
			sendAll(t, worker, j)
			settle()
			time.Sleep(time.Second)
			first := 0
			if i >= 4 {
				first = 1
			}
			assert.InDelta(t, time.Since(sent[first]).Seconds(), gauges(t, reader)[oldest], aTick, i)
		}
		for i := 1; i < 6; i++ {
			time.Sleep(time.Hour)
			assert.InDelta(t, time.Since(sent[i]).Seconds(), gauges(t, reader)[oldest], aTick, i)
			releases[i]()
			settle()
		}
		found := gauges(t, reader)
		assert.Zero(t, found[oldest])
		assert.Zero(t, found["waybill.mailbox.fullest worker"])
		drain(t, sys)
		assert.Zero(t, gauges(t, reader)[oldest])
	})
}

// What waits while a process pauses, or saves its state, is seen as well.
func TestOldestMessageOfAProcessThatPauses(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys, reader := reporting(t)
		kind := newKind[job](t, sys, "worker", mailbox.WithErrorPolicy(mailbox.Restart),
			mailbox.WithRestartPolicy(mailbox.RestartPolicy{MinBackoff: time.Hour, MaxBackoff: time.Hour}))
		worker, err := kind.SpawnInstance("", func(context.Context, mailbox.Ref[job]) (mailbox.Instance[job], error) {
			return mailbox.Instance[job]{Handle: do}, nil
		})
		require.NoError(t, err)
		sendAll(t, worker, fails)
		settle()
		sendAll(t, worker, nothing)
		time.Sleep(time.Minute)
		sendAll(t, worker, nothing)
		time.Sleep(time.Minute)
		found := gauges(t, reader)
		assert.InDelta(t, 120, found["waybill.mailbox.oldest worker"], aTick)
		assert.EqualValues(t, 2, found["waybill.mailbox.fullest worker"])
		worker.Kill()
		settle()
		assert.Zero(t, gauges(t, reader)["waybill.mailbox.oldest worker"])
	})
}

// Collections disturb nobody: all messages are handled in their order, and no message is
// older than the test. The race detector is a witness.
func TestCollectingWhileMessagesAreHandled(t *testing.T) {
	const processes, senders, each = 4, 4, 5_000
	begun := time.Now()
	sys, reader := reporting(t)
	kind := newKind[int](t, sys, "worker")
	var refs []mailbox.Ref[int]
	next := make([][senders]int, processes) // of each sender, by the process that it is sent to
	for i := range processes {
		ref, err := kind.Spawn("", func(_ context.Context, n int) error {
			expected := &next[i][n%senders]
			assert.Equal(t, *expected, n)
			*expected += senders
			return nil
		})
		require.NoError(t, err)
		refs = append(refs, ref)
		for s := range senders {
			next[i][s] = s
		}
	}
	stop := make(chan struct{})
	var collecting, sending sync.WaitGroup
	collecting.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				age := gauges(t, reader)["waybill.mailbox.oldest worker"]
				assert.GreaterOrEqual(t, age, 0.0)
				assert.LessOrEqual(t, age, time.Since(begun).Seconds())
			}
		}
	})
	for s := range senders {
		sending.Go(func() {
			for n := range each {
				assert.NoError(t, refs[n%processes].Send(context.Background(), s+senders*(n/processes)))
			}
		})
	}
	sending.Wait()
	drain(t, sys)
	close(stop)
	collecting.Wait()
	assert.EqualValues(t, senders*each, sys.Stats().Handled)
}

// A process that is woken for each message has it in a slot without a lock. Collections look
// there too. On one processor they hardly ever find a message that is old enough to be seen,
// so they end after a while.
func TestCollectingWhileProcessesAreWoken(t *testing.T) {
	const processes, seen, longest = 4, 1_000, 2 * time.Second
	sys := newSystem(t)
	enough := make(chan struct{})
	var calling sync.WaitGroup
	for range processes {
		worker := spawn(t, sys, "worker", do)
		calling.Go(func() {
			for {
				select {
				case <-enough:
					return
				default:
					n, err := call(context.Background(), worker, answer)
					assert.NoError(t, err)
					assert.Equal(t, 1, n)
				}
			}
		})
	}
	for found, begin := 0, time.Now(); found < seen && time.Since(begin) < longest; {
		if _, _, oldest := sys.Pressure(); oldest > 0 {
			found++
		}
	}
	close(enough)
	calling.Wait()
	drain(t, sys)
	requireAtRest(t, sys.Stats())
}

// Workers whose handlers block are counted apart from those that keep the processors busy.
func TestWorkers(t *testing.T) {
	const blocked = 100
	sys, reader := reporting(t)
	workers := func() (running, stuck int64) {
		points, _ := measured(t, reader)
		return points["workers{waybill.worker.state=running}"], points["workers{waybill.worker.state=blocked}"]
	}
	var releases []func()
	for range blocked {
		releases = append(releases, keepBusy(t, spawn(t, sys, "worker", do)))
	}
	require.Eventually(t, func() bool { // A worker may just be looking for more to do.
		running, stuck := workers()
		return running+stuck == blocked && stuck > 0
	}, patience, time.Millisecond)
	for _, release := range releases {
		release()
	}
	require.Eventually(t, func() bool {
		running, stuck := workers()
		return running == 0 && stuck == 0
	}, patience, time.Millisecond)
	points, _ := measured(t, reader)
	assert.Zero(t, points["runnable{}"])
	drain(t, sys)
}
