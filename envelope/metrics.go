// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"fmt"
	"reflect"
	"slices"
	"sync"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/waybill-go/waybill/internal/durations"
	"github.com/waybill-go/waybill/internal/guard"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/observe"
	"github.com/waybill-go/waybill/internal/scope"
	"github.com/waybill-go/waybill/internal/typename"
)

// received is what is counted of the loops and handlers of one name.
type received struct {
	Traced, Unsampled, Untraced       uint64
	Handled, Errors, Panicked, Exited uint64
	queued                            int     // messages in their channels
	utilization                       float64 // the largest share of its capacity that a channel holds
}

var receivedMetrics = []observe.Field[received]{
	receivedMetric("traced", func(r *received) *uint64 { return &r.Traced }),
	receivedMetric("unsampled", func(r *received) *uint64 { return &r.Unsampled }),
	receivedMetric("untraced", func(r *received) *uint64 { return &r.Untraced }),
	observe.NewField("waybill.channel.handled", "{message}", "Messages that were handled without a failure.",
		func(r *received) *uint64 { return &r.Handled }),
	failedMetric("error", func(r *received) *uint64 { return &r.Errors }),
	failedMetric("panic", func(r *received) *uint64 { return &r.Panicked }),
	failedMetric("goexit", func(r *received) *uint64 { return &r.Exited }),
	observe.NewReading("waybill.channel.queued", "{message}", "Messages now in channels that loops receive from.",
		func(r received) uint64 { return uint64(r.queued) }).Falling(),
	observe.NewGauge("waybill.channel.utilization", "1", "Largest share of its capacity that a channel holds.",
		func(r received) float64 { return r.utilization }),
}

func receivedMetric(trace string, of func(*received) *uint64) observe.Field[received] {
	return observe.NewField("waybill.channel.received", "{message}", "Messages that loops and handlers have begun with.", of).
		With(keys.MessageTrace.String(trace))
}

func failedMetric(reason string, of func(*received) *uint64) observe.Field[received] {
	return observe.NewField("waybill.channel.failed", "{message}", "Messages whose loop body or handler failed.", of).
		With(keys.ChannelReason.String(reason))
}

// receiverMetrics is what is reported to one meter provider with the same attributes.
type receiverMetrics struct {
	registry  observe.Registry
	durations *durations.Histograms // nil if the provider makes none

	mu    sync.Mutex
	names observe.Names[receiverTotals]
}

// receiverTotals is what the loops and handlers of one name share.
type receiverTotals struct {
	counts    observe.Tally[received]
	durations *durations.Place // nil without

	mu       sync.Mutex
	channels map[any]*watched // from which loops receive now
}

// watched is a channel.
type watched struct {
	length, capacity func() int
	loops            int
}

// reports has what is reported to each provider. Loops come and go, and the counts of a
// metric stay, so they are kept as long as the program runs.
var reports struct {
	mu    sync.Mutex
	byKey map[reportKey]*receiverMetrics
}

type reportKey struct {
	provider metric.MeterProvider
	attrs    attribute.Distinct
}

// metricsTo returns what is reported to the provider with attrs.
func metricsTo(provider metric.MeterProvider, attrs []attribute.KeyValue) *receiverMetrics {
	if !reflect.ValueOf(provider).Comparable() { // We cannot tell whether it is the same provider.
		return newReceiverMetrics(provider, attrs)
	}
	set := attribute.NewSet(attrs...)
	key := reportKey{provider, set.Equivalent()}
	reports.mu.Lock()
	defer reports.mu.Unlock()
	if found, ok := reports.byKey[key]; ok {
		return found
	}
	if reports.byKey == nil {
		reports.byKey = make(map[reportKey]*receiverMetrics)
	}
	made := newReceiverMetrics(provider, attrs)
	reports.byKey[key] = made
	return made
}

func newReceiverMetrics(provider metric.MeterProvider, attrs []attribute.KeyValue) *receiverMetrics {
	m := &receiverMetrics{}
	guard.Do(func() {
		meter := scope.Meter(provider, "envelope")
		_, err := observe.Sums(&m.registry, meter, m.read, receivedMetrics, attrs)
		if err == nil {
			m.durations, err = durations.New(meter, "waybill.channel.", attrs)
		}
		if err != nil {
			otel.Handle(fmt.Errorf("envelope: metrics: %w", err))
		}
	})
	return m
}

// totalsOf returns what all loops and handlers of that name share.
func (m *receiverMetrics) totalsOf(name string) *receiverTotals {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.names.Of(name, false, func(name string) *receiverTotals {
		t := &receiverTotals{channels: make(map[any]*watched)}
		if m.durations != nil {
			t.durations = m.durations.Place(keys.ChannelName.String(name), typename.Of)
		}
		return t
	})
}

// read passes on what is counted of each name.
func (m *receiverMetrics) read(each func(received, ...attribute.KeyValue)) {
	m.mu.Lock()
	names := m.names.Clone()
	m.mu.Unlock()
	for name, t := range names.All() {
		each(t.load(), keys.ChannelName.String(name))
	}
}

func (t *receiverTotals) load() received {
	r := t.counts.Load(receivedMetrics)
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, w := range t.channels {
		length, capacity := w.length(), w.capacity()
		r.queued += length
		if capacity > 0 {
			r.utilization = max(r.utilization, float64(length)/float64(capacity))
		}
	}
	return r
}

// watch looks at a channel, whatever its loops, until the result is called as often.
func watch[M any](t *receiverTotals, ch <-chan Envelope[M]) (leave func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.channels[ch]
	if w == nil {
		w = &watched{length: func() int { return len(ch) }, capacity: func() int { return cap(ch) }}
		t.channels[ch] = w
	}
	w.loops++
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if w.loops--; w.loops == 0 {
			delete(t.channels, ch)
		}
	}
}

// WithMeterProvider reports what the loop or handler receives as metrics, under names that
// begin with waybill.channel: how many messages there were and what became of them, how long
// they waited and how long they were handled, and how full the channel of a loop is. All have
// the name that the loop or handler was given (waybill.channel.name) and attrs. Loops and
// handlers that are given the same provider, attributes and name are counted together.
//
// How long a message waited is known if it was sent with a sampled trace. A value of a
// message with a sampled trace may become an exemplar that leads to its span. If the loop
// body panics or calls [runtime.Goexit], the message has failed; an error of [RecordError] is
// no failure of the message. The messages of a batch fail together, and count one by one; how
// long they were handled is recorded once for the batch.
//
// A message costs some 500 ns more. Without the option, or with a nil provider, nothing is
// measured. The provider is kept in memory. If it panics or fails, there are no metrics, and
// OpenTelemetry's error handler is told.
func WithMeterProvider(provider metric.MeterProvider, attrs ...attribute.KeyValue) ReceiveOption {
	attrs = slices.Clone(attrs)
	return receiveOption(func(c *receiveConfig) { c.meters, c.meterAttrs = provider, attrs })
}
