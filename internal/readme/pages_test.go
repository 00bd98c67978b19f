// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package readme_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/timings"
	"github.com/waybill-go/waybill/propagate"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/fanout"
	"github.com/waybill-go/waybill/sampling/sampler"
)

// What the pages on processes, sampling and propagation show.

type CartMsg any

type Add struct{ Item string }

// Cart is the state of a process.
type Cart struct {
	items []string
	saved int
}

func (c *Cart) Handle(_ context.Context, m CartMsg) error {
	c.items = append(c.items, m.(Add).Item)
	return nil
}

func (c *Cart) Save(context.Context) error {
	c.saved++
	return nil
}

// Store has carts by the IDs of their users.
type Store map[string]*Cart

func (s Store) Load(_ context.Context, id string) (*Cart, error) { return s[id], nil }

func supervised(ctx context.Context, sys *mailbox.System, userID string, store Store) error {
	// processes: supervised
	carts, err := mailbox.NewKind[CartMsg](sys, "cart",
		mailbox.WithPanicPolicy(mailbox.Restart),
		mailbox.WithPassivation(10*time.Minute))
	if err != nil {
		return err
	}
	load := func(ctx context.Context, self mailbox.Ref[CartMsg]) (mailbox.Instance[CartMsg], error) {
		cart, err := store.Load(ctx, self.ID())
		if err != nil {
			return mailbox.Instance[CartMsg]{}, err
		}
		return mailbox.Instance[CartMsg]{Handle: cart.Handle, Save: cart.Save}, nil
	}
	cart, err := carts.GetOrSpawn(userID, load)
	if err != nil {
		return err
	}
	return cart.Send(ctx, Add{"a lamp"})
	// processes: end
}

func TestStateIsLoadedAndSaved(t *testing.T) {
	sys, store := mailbox.NewSystem(), Store{"ada": new(Cart)}
	require.NoError(t, supervised(t.Context(), sys, "ada", store))
	require.NoError(t, sys.Shutdown(t.Context()))
	assert.Equal(t, &Cart{items: []string{"a lamp"}, saved: 1}, store["ada"])
}

func controlled(operators *http.ServeMux, use func(*mailbox.System)) error {
	// sampling: control
	control, err := sampling.NewControl(sampling.Config{})
	if err != nil {
		return err
	}
	sys := mailbox.NewSystem(mailbox.WithControl(control))
	operators.Handle("/tracing", control) // GET shows the configuration as JSON, PUT replaces it
	// sampling: end
	use(sys)
	return nil
}

func TestControlIsServed(t *testing.T) {
	operators := http.NewServeMux()
	require.NoError(t, controlled(operators, func(sys *mailbox.System) { require.NoError(t, sys.Shutdown(t.Context())) }))
	answer := httptest.NewRecorder()
	operators.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/tracing", http.NoBody))
	assert.Equal(t, http.StatusOK, answer.Code)
}

func timed(operators *http.ServeMux, use func(*mailbox.System)) error {
	// timings: store
	control, err := sampling.NewControl(sampling.Config{Kinds: map[string]sampling.KindConfig{
		"guild":   {TimeOneIn: 1},    // all messages
		"session": {TimeOneIn: 1000}, // one in a thousand, at random
	}})
	if err != nil {
		return err
	}
	store := timings.New(timings.Config{})
	sys := mailbox.NewSystem(mailbox.WithControl(control), mailbox.WithTimings(store))
	operators.Handle("/timings", store) // shows them as JSON or as text
	operators.Handle("/tracing", control)
	// timings: end
	use(sys)
	return nil
}

func TestTimingsAreServed(t *testing.T) {
	operators := http.NewServeMux()
	require.NoError(t, timed(operators, func(sys *mailbox.System) {
		guild, err := mailbox.Spawn(sys, "guild", func(context.Context, Event) error { return nil })
		require.NoError(t, err)
		require.NoError(t, guild.Send(t.Context(), Event{"hello"}))
		require.NoError(t, sys.Shutdown(t.Context()))
	}))
	answer := httptest.NewRecorder()
	operators.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/timings?minutes=2", http.NoBody))
	assert.Contains(t, answer.Body.String(), `"type": "Event"`)
}

func measured(meters metric.MeterProvider, use func(*mailbox.System)) error {
	// metrics: durations
	control, err := sampling.NewControl(sampling.Config{Kinds: map[string]sampling.KindConfig{
		"guild":   {TimeOneIn: 1},    // all messages
		"session": {TimeOneIn: 1000}, // one in a thousand, at random
	}})
	if err != nil {
		return err
	}
	sys := mailbox.NewSystem(mailbox.WithControl(control), mailbox.WithMeterProvider(meters))
	// metrics: end
	use(sys)
	return nil
}

func TestDurationsAreMeasured(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	require.NoError(t, measured(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)), func(sys *mailbox.System) {
		guild, err := mailbox.Spawn(sys, "guild", func(context.Context, Event) error { return nil })
		require.NoError(t, err)
		require.NoError(t, guild.Send(t.Context(), Event{"hello"}))
		require.NoError(t, sys.Shutdown(t.Context()))
	}))
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	counts := make(map[string]uint64)
	for _, m := range all.ScopeMetrics[0].Metrics {
		if h, ok := m.Data.(metricdata.Histogram[float64]); ok {
			counts[m.Name] = h.DataPoints[0].Count
		}
	}
	assert.Equal(t, map[string]uint64{"waybill.mailbox.queue.duration": 1, "waybill.mailbox.handling.duration": 1}, counts)
}

func measuredLoop(
	ctx context.Context, meters metric.MeterProvider, orders chan envelope.Envelope[Order], pack func(context.Context, Order),
) {
	// metrics: loop
	metrics := envelope.WithMeterProvider(meters)
	for ctx, order := range envelope.Receive(ctx, orders, "pack order", metrics) {
		pack(ctx, order)
	}
	// metrics: end
}

func TestLoopsAreMeasured(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	orders := make(chan envelope.Envelope[Order], 1)
	orders <- envelope.Bare(Order{1})
	close(orders)
	packed := 0
	measuredLoop(t.Context(), sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)), orders, func(context.Context, Order) { packed++ })
	assert.Equal(t, 1, packed)
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	require.Len(t, all.ScopeMetrics, 1)
	assert.Len(t, all.ScopeMetrics[0].Metrics, 6, "nobody knows how long the order waited")
}

// Client is a client of a hub.
type Client struct{ send chan envelope.Envelope[Event] }

func hub(ctx context.Context, clients []*Client, post envelope.Envelope[Event]) (fanout.Delivery, error) {
	// sampling: hub
	chat, err := fanout.New("chat") // once
	if err != nil {
		return fanout.Delivery{}, err
	}
	ctx, event := post.Unwrap(ctx) // what the hub has received: its own ctx is of no post
	b := chat.Begin(ctx, len(clients))
	for _, client := range clients {
		select {
		case client.send <- envelope.New(event, b.Next()):
		default:
			b.Refuse(fanout.Full)
		}
	}
	delivery := b.End()
	// sampling: end
	return delivery, nil
}

func pass(ctx context.Context, chat *fanout.Fanout, clients []*Client, post envelope.Envelope[Event]) {
	// README: hub
	ctx, event := post.Unwrap(ctx)     // what the hub has received: its own ctx is of no post
	b := chat.Begin(ctx, len(clients)) // chat is a fanout.Fanout, made once
	for _, client := range clients {
		select {
		case client.send <- envelope.New(event, b.Next()):
		default:
			b.Refuse(fanout.Full)
		}
	}
	b.End()
	// README: end
}

func TestHubsDeliver(t *testing.T) {
	clients := []*Client{{make(chan envelope.Envelope[Event], 2)}, {nil}}
	d, err := hub(t.Context(), clients, envelope.New(Event{}, nil))
	require.NoError(t, err)
	assert.Equal(t, fanout.Delivery{Size: 2, Delivered: 1, Refused: 1}, d)
	chat, err := fanout.New("chat")
	require.NoError(t, err)
	pass(t.Context(), chat, clients, envelope.New(Event{}, nil))
	assert.Equal(t, fanout.Stats{Broadcasts: 1, Delivered: 1, Refused: 1}, chat.Stats())
	assert.Len(t, clients[0].send, 2)
}

func wrapped(exporter trace.SpanExporter) *trace.TracerProvider {
	// sampling: sampler
	provider := trace.NewTracerProvider( // of go.opentelemetry.io/otel/sdk/trace
		trace.WithSampler(sampler.Wrap(trace.ParentBased(trace.TraceIDRatioBased(0.01)))),
		trace.WithBatcher(exporter),
	)
	// sampling: end
	return provider
}

func TestWrappedSamplerDecides(t *testing.T) {
	provider := wrapped(tracetest.NewInMemoryExporter())
	assert.NotNil(t, provider.Tracer("test"))
	require.NoError(t, provider.Shutdown(t.Context()))
}

func metered(meters metric.MeterProvider) (*mailbox.System, error) {
	// metrics: register
	meter := meters.Meter("orders") // of go.opentelemetry.io/otel/sdk/metric
	sys := mailbox.NewSystem(mailbox.WithMeterProvider(meters))
	_, err := propagate.DefaultCounters().RegisterMetrics(meter)
	// metrics: end
	return sys, err
}

func TestMetricsAreReported(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	sys, err := metered(meters)
	require.NoError(t, err)
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	assert.NotEmpty(t, all.ScopeMetrics)
	require.NoError(t, sys.Shutdown(t.Context()))
	require.NoError(t, meters.Shutdown(t.Context()))
}

func setPropagator() {
	// propagation: global
	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(
		propagate.TraceContext{},
		propagate.Baggage{},
	))
	// propagation: end
}

func TestPropagatorIsSet(t *testing.T) {
	before := otel.GetTextMapPropagator()
	defer otel.SetTextMapPropagator(before)
	setPropagator()
	assert.ElementsMatch(t, []string{"traceparent", "tracestate", "baggage"}, otel.GetTextMapPropagator().Fields())
}
