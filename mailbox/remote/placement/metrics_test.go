// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package placement_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// docs/metrics.md says of each metric what it says itself.
func TestThePageListsEveryMetricOnce(t *testing.T) {
	c := newCluster(t)
	m := c.newMachine(t, c.server.Conn(t), nil)
	ask(t, m, "1")
	reader := sdkmetric.NewManualReader()
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test")
	registration, err := m.kind.RegisterMetrics(meter, attribute.String("kind", "counter"))
	require.NoError(t, err)
	_, err = m.kind.RegisterMetrics(meter, attribute.String("kind", "counter"))
	require.Error(t, err, "twice")
	_, err = m.kind.RegisterMetrics(nil)
	require.Error(t, err)

	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	var made []string
	for _, scope := range all.ScopeMetrics {
		for _, metric := range scope.Metrics {
			data, ok := metric.Data.(metricdata.Sum[int64])
			require.True(t, ok, metric.Name)
			value := "grows"
			if !data.IsMonotonic {
				value = "rises and falls"
			}
			made = append(made, "| `"+metric.Name+"` | "+value+" | `"+metric.Unit+"` | "+metric.Description+" |")
			if metric.Name == "waybill.placement.placed" || metric.Name == "waybill.placement.claimed" {
				assert.EqualValues(t, 1, data.DataPoints[0].Value, metric.Name)
			}
		}
	}
	page, err := os.ReadFile("../../../docs/metrics.md")
	require.NoError(t, err)
	assert.ElementsMatch(t, made, regexp.MustCompile("(?m)^\\| `waybill\\.placement\\..*$").FindAllString(string(page), -1))
	require.NoError(t, registration.Unregister())
}
