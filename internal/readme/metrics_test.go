// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package readme_test

import (
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

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

func (m listingMeter) list(i instrument) {
	if !slices.Contains(*m.made, i) {
		*m.made = append(*m.made, i)
	}
}

// registered returns what every RegisterMetrics of the library makes.
func registered(t *testing.T) []instrument {
	t.Helper()
	sys := mailbox.NewSystem()
	control, err := sampling.NewControl(sampling.Config{})
	require.NoError(t, err)
	clients, err := fanout.New("clients")
	require.NoError(t, err)
	var made []instrument
	for _, register := range []func(metric.Meter, ...attribute.KeyValue) (metric.Registration, error){
		sys.RegisterMetrics,
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
		listed = append(listed, m[0])
	}
	var want []string
	for _, i := range registered(t) {
		want = append(want, "| `"+i.name+"` | "+i.sum+" | `"+i.unit+"` | "+i.description+" |")
	}
	assert.ElementsMatch(t, want, listed)
}
