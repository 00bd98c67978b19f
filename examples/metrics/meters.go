// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/otel/attribute"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/waybill-go/waybill/propagate"
	"github.com/waybill-go/waybill/sampling"
)

// newMeters returns a provider, and the handler by which Prometheus reads what it measures.
func newMeters() (*sdkmetric.MeterProvider, http.Handler, error) {
	// metrics: prometheus
	registry := prometheus.NewRegistry()
	exporter, err := otelprometheus.New(
		otelprometheus.WithRegisterer(registry),
		// waybill.mailbox.queued becomes waybill_mailbox_queued, as the dashboard expects.
		otelprometheus.WithTranslationStrategy(otlptranslator.UnderscoreEscapingWithSuffixes),
		otelprometheus.WithoutScopeInfo(), // Here, each metric has one scope.
	)
	if err != nil {
		return nil, nil, err
	}
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter))
	// OpenMetrics is the format that has exemplars.
	metrics := promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
	// metrics: end

	// Systems and loops report to the provider by themselves. These are of the whole program.
	meter := meters.Meter("chat")
	for _, register := range []func(metric.Meter, ...attribute.KeyValue) (metric.Registration, error){
		sampling.RegisterMetrics, propagate.DefaultCounters().RegisterMetrics,
	} {
		if _, err := register(meter); err != nil {
			return nil, nil, err
		}
	}
	return meters, metrics, nil
}
