// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package readme_test

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/envelope/wire"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/propagate"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/fanout"
)

// instrument is a row of the page on metrics.
type instrument struct{ name, sum, unit, description string }

// listingMeter lists the instruments that are made with it, each once.
type listingMeter struct {
	noop.Meter

	made *[]instrument
}

func (m listingMeter) Int64ObservableCounter(
	name string, opts ...metric.Int64ObservableCounterOption,
) (metric.Int64ObservableCounter, error) {
	c := metric.NewInt64ObservableCounterConfig(opts...)
	m.list(instrument{name, "grows", c.Unit(), c.Description()})
	return m.Meter.Int64ObservableCounter(name, opts...)
}

func (m listingMeter) Int64ObservableUpDownCounter(
	name string, opts ...metric.Int64ObservableUpDownCounterOption,
) (metric.Int64ObservableUpDownCounter, error) {
	c := metric.NewInt64ObservableUpDownCounterConfig(opts...)
	m.list(instrument{name, "rises and falls", c.Unit(), c.Description()})
	return m.Meter.Int64ObservableUpDownCounter(name, opts...)
}

func (m listingMeter) Float64ObservableGauge(
	name string, opts ...metric.Float64ObservableGaugeOption,
) (metric.Float64ObservableGauge, error) {
	c := metric.NewFloat64ObservableGaugeConfig(opts...)
	m.list(instrument{name, "gauge", c.Unit(), c.Description()})
	return m.Meter.Float64ObservableGauge(name, opts...)
}

func (m listingMeter) Int64Histogram(
	name string, opts ...metric.Int64HistogramOption,
) (metric.Int64Histogram, error) {
	c := metric.NewInt64HistogramConfig(opts...)
	m.list(instrument{name, "histogram", c.Unit(), c.Description()})
	return m.Meter.Int64Histogram(name, opts...)
}

func (m listingMeter) Float64Histogram(
	name string, opts ...metric.Float64HistogramOption,
) (metric.Float64Histogram, error) {
	c := metric.NewFloat64HistogramConfig(opts...)
	m.list(instrument{name, "histogram", c.Unit(), c.Description()})
	return m.Meter.Float64Histogram(name, opts...)
}

// listingProvider is a provider of listing meters.
type listingProvider struct {
	noop.MeterProvider

	made *[]instrument
}

func (p listingProvider) Meter(string, ...metric.MeterOption) metric.Meter {
	return listingMeter{made: p.made}
}

func (m listingMeter) list(i instrument) {
	if !slices.Contains(*m.made, i) {
		*m.made = append(*m.made, i)
	}
}

// registered returns what every RegisterMetrics of the library makes, and every option that
// takes a meter provider.
func registered(t *testing.T) []instrument {
	t.Helper()
	var made []instrument
	sys := mailbox.NewSystem(mailbox.WithMeterProvider(listingProvider{made: &made}))
	require.NotEmpty(t, made)
	envelope.Handler(t.Context(), "pack", func(context.Context, Event) error { return nil },
		envelope.WithMeterProvider(listingProvider{made: &made}))
	control, err := sampling.NewControl(sampling.Config{})
	require.NoError(t, err)
	clients, err := fanout.New("clients")
	require.NoError(t, err)
	for _, register := range []func(metric.Meter, ...attribute.KeyValue) (metric.Registration, error){
		clients.RegisterMetrics,
		control.RegisterMetrics, sampling.RegisterMetrics,
		new(wire.Counters).RegisterMetrics,
		new(propagate.Counters).RegisterMetrics,
	} {
		before := len(made)
		registration, err := register(listingMeter{made: &made})
		require.NoError(t, err)
		require.NoError(t, registration.Unregister())
		require.Greater(t, len(made), before)
	}
	require.NoError(t, sys.Shutdown(t.Context()))

	// A module of its own, whose code this module cannot import.
	source := read(t, "../../propagate/grpcstream/counters.go")
	found := regexp.MustCompile(`NewField\("(.*?)", "(.*?)", "(.*?)",`).FindAllStringSubmatch(source, -1)
	require.NotEmpty(t, found)
	for _, m := range found {
		made = append(made, instrument{m[1], "grows", m[2], m[3]})
	}
	return made
}

// TestThePageListsEveryMetricOnce compares the tables of the page with what is registered.
func TestThePageListsEveryMetricOnce(t *testing.T) {
	row := regexp.MustCompile("(?m)^\\| `(waybill\\.[a-z_.]+)` \\| (.*?) \\| `(.*?)` \\| (.*?) \\|$")
	var listed []string
	for _, m := range row.FindAllStringSubmatch(read(t, "../../docs/metrics.md"), -1) {
		// Packages of mailbox/remote, in a module of its own, have tests for their metrics.
		if !strings.HasPrefix(m[1], "waybill.remote.") && !strings.HasPrefix(m[1], "waybill.durable.") &&
			!strings.HasPrefix(m[1], "waybill.placement.") {
			listed = append(listed, m[0])
		}
	}
	var want []string
	for _, i := range registered(t) {
		want = append(want, "| `"+i.name+"` | "+i.sum+" | `"+i.unit+"` | "+i.description+" |")
	}
	assert.ElementsMatch(t, want, listed)
}
