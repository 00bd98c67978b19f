// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package readme_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/console"
	"github.com/waybill-go/waybill/mailbox/timings"
	"github.com/waybill-go/waybill/sampling"
)

// Types that the README's snippets use.

type Order struct{ ID int }

type GuildMsg any

type Stats struct{ Messages int }

type GetStats struct{ reply mailbox.Reply[Stats] }

type MessageCreate struct{ Content string }

type Event struct{ Content string }

func channel(ctx context.Context, order Order, ship func(context.Context, Order)) error {
	// README: channel
	orders := make(chan envelope.Envelope[Order], 64)

	// The sender. Before: orders <- order
	if err := envelope.Send(ctx, orders, order); err != nil {
		return err
	}

	// The receiver. Before: for order := range orders
	for ctx, order := range envelope.Receive(ctx, orders, "process order") {
		ship(ctx, order)
	}
	// README: end
	return nil
}

func process(ctx context.Context, handleGuild func(context.Context, GuildMsg) error) error {
	// README: process
	sys := mailbox.NewSystem()
	guild, err := mailbox.Spawn(sys, "guild", handleGuild) // func(ctx context.Context, m GuildMsg) error
	if err != nil {
		return err
	}
	if err := guild.Send(ctx, MessageCreate{"hello"}); err != nil {
		return err
	}
	stats, err := mailbox.Call(ctx, guild, func(r mailbox.Reply[Stats]) GuildMsg { return GetStats{r} })
	if err != nil {
		return err
	}
	fmt.Println(stats.Messages, "messages")
	// README: end
	return sys.Shutdown(ctx)
}

func fanOut(ctx context.Context, sys *mailbox.System, session mailbox.Ref[Event], event Event) error {
	// README: fan-out
	sessions, err := mailbox.NewGroup[Event](sys, "sessions")
	if err != nil {
		return err
	}
	if err := sessions.Join(session); err != nil {
		return err
	}
	delivery := sessions.Broadcast(ctx, event)
	fmt.Println(delivery.Delivered, "of", delivery.Size, "sessions have it,", delivery.Sampled, "are sampled")
	// README: end
	return nil
}

func operate(operators *http.ServeMux, control *sampling.Control, store *timings.Store) (*sdktrace.TracerProvider, *sdkmetric.MeterProvider) {
	// README: console
	con := console.New(console.Config{Control: control, Timings: store})
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(con)) // beside your sampler and exporter
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(con.MetricReader()))
	operators.Handle("/debug/waybill/", http.StripPrefix("/debug/waybill", con))
	// README: end
	return tracers, meters
}

func mount(control *sampling.Control, store *timings.Store) (*http.Server, *sdktrace.TracerProvider, *sdkmetric.MeterProvider) {
	// console: mount
	con := console.New(console.Config{Title: "chat", Control: control, Timings: store})
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(con)) // beside your sampler and exporter
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(con.MetricReader()))

	operators := http.NewServeMux()
	operators.Handle("/debug/waybill/", http.StripPrefix("/debug/waybill", con))
	server := &http.Server{Addr: "localhost:6060", Handler: operators, ReadHeaderTimeout: 5 * time.Second}
	// console: end
	return server, tracers, meters
}

// TestTheConsoleIsMounted checks that the page, a span and a metric come where they should.
func TestTheConsoleIsMounted(t *testing.T) {
	control, err := sampling.NewControl(sampling.Config{})
	require.NoError(t, err)
	store := timings.New(timings.Config{})
	mux := http.NewServeMux()
	tracers, meters := operate(mux, control, store)
	server, otherTracers, otherMeters := mount(control, store)
	for _, test := range []struct {
		handler http.Handler
		tracers *sdktrace.TracerProvider
		meters  *sdkmetric.MeterProvider
	}{{mux, tracers, meters}, {server.Handler, otherTracers, otherMeters}} {
		sys := mailbox.NewSystem(mailbox.WithTracerProvider(test.tracers), mailbox.WithMeterProvider(test.meters))
		_, span := test.tracers.Tracer("test").Start(t.Context(), "GET /messages")
		span.End()
		for path, want := range map[string]string{
			"": "<title>", "api/traces": "GET /messages", "api/metrics": "waybill.mailbox.workers", "api/config": "default_group", "api/timings": "processes",
		} {
			w := httptest.NewRecorder()
			test.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/debug/waybill/"+path, http.NoBody))
			assert.Contains(t, w.Body.String(), want, path)
		}
		require.NoError(t, sys.Shutdown(t.Context()))
		require.NoError(t, test.tracers.Shutdown(t.Context()))
		require.NoError(t, test.meters.Shutdown(t.Context()))
	}
}

func TestSnippetsWork(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	shipped := 0
	require.NoError(t, channel(ctx, Order{1}, func(context.Context, Order) { shipped++; cancel() }))
	assert.Equal(t, 1, shipped)

	messages := 0
	require.NoError(t, process(t.Context(), func(_ context.Context, m GuildMsg) error {
		messages++
		if get, ok := m.(GetStats); ok {
			get.reply.Answer(Stats{Messages: messages})
		}
		return nil
	}))
	assert.Equal(t, 2, messages)

	sys := mailbox.NewSystem()
	heard := make(chan Event, 1)
	session, err := mailbox.Spawn(sys, "session", func(_ context.Context, e Event) error { heard <- e; return nil })
	require.NoError(t, err)
	require.NoError(t, fanOut(t.Context(), sys, session, Event{"hello"}))
	assert.Equal(t, Event{"hello"}, <-heard)
	require.NoError(t, sys.Shutdown(t.Context()))
}
