// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"

	"github.com/waybill-go/waybill/envelope/wire"
	"github.com/waybill-go/waybill/examples/guild/internal/sessions"
	"github.com/waybill-go/waybill/examples/guild/internal/telemetry"
	"github.com/waybill-go/waybill/mailbox/console"
	"github.com/waybill-go/waybill/mailbox/timings"
	"github.com/waybill-go/waybill/propagate"
	"github.com/waybill-go/waybill/sampling"
)

// insight is what operators look into while the program runs, of all services together.
type insight struct {
	control *sampling.Control // that the tracing follows
	timings *timings.Store    // of guilds and sessions
	console *console.Console
	meters  metric.MeterProvider
	metrics http.Handler // for Prometheus
}

// timingBytes bounds what is kept of what guilds and sessions did with their minutes.
const timingBytes = 4 << 20

// newInsight makes it. It has no metrics before measure.
func newInsight(c Config, log *slog.Logger) (*insight, error) {
	control, err := newControl(c)
	if err != nil {
		return nil, err
	}
	i := &insight{control: control, timings: timings.New(timings.Config{Bytes: timingBytes})}
	bytes := consoleBytes
	if c.Report != "" {
		bytes = consoleBytesWithReport
	}
	i.console = console.New(console.Config{
		Title: "guild example", Bytes: bytes, Logger: log,
		Control: control, AllowChanges: true, Timings: i.timings, // Only operators reach it.
		Links:    []console.Link{{Text: "Chat and trouble", URL: "../"}},
		NoTraces: "Nothing has been traced yet. Send a message on the page that “Chat and trouble” leads to.",
	})
	return i, nil
}

// timedSessions is up to how many sessions all of their messages are timed. Of more, one
// message in timedOneIn is, because clocks would take more time than the sessions do.
const (
	timedSessions = 10_000
	timedOneIn    = 100
)

// newControl makes what the tracing of all services follows: sessions that are slow leave
// a span though nobody sampled them, and are counted by those. So do deliveries that fail.
// Both are as many as clients make them, who may be hostile, so there is a bound, the
// library's own of ten a second for each reason: beyond it failures are counted and leave
// no span, and of the slow ones a share is chosen that stands for all.
func newControl(c Config) (*sampling.Control, error) {
	session := sampling.KindConfig{
		TimeOneIn: 1,
		Late:      sampling.Late{Failures: true, SlowerThan: sessions.SlowAfter, CountSlow: true},
	}
	if c.Sessions > timedSessions {
		session.TimeOneIn = timedOneIn
	}
	return sampling.NewControl(sampling.Config{Kinds: map[string]sampling.KindConfig{
		"guild":       {TimeOneIn: 1},
		sessions.Kind: session,
	}})
}

// measure has the metrics of the program read by the console and by Prometheus.
func (i *insight) measure(ctx context.Context, tel *telemetry.Telemetry) error {
	registry := prometheus.NewRegistry()
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo())
	if err != nil {
		return err
	}
	i.metrics = promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true}) // Which has exemplars.
	if i.meters, err = tel.Meters(ctx, i.console.MetricReader(), exporter); err != nil {
		return err
	}
	// Systems report their metrics themselves. These are of the whole program.
	meter := i.meters.Meter("github.com/waybill-go/waybill/examples/guild")
	for _, register := range []func(metric.Meter, ...attribute.KeyValue) (metric.Registration, error){
		i.control.RegisterMetrics, sampling.RegisterMetrics,
		propagate.DefaultCounters().RegisterMetrics, wire.DefaultCounters().RegisterMetrics,
	} {
		if _, err = register(meter); err != nil {
			return err
		}
	}
	return nil
}
