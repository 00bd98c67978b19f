// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

// collected returns what a reader finds, by name.
func collected(t *testing.T, reader sdkmetric.Reader) map[string]metricdata.Metrics {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	byName := make(map[string]metricdata.Metrics)
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			byName[m.Name] = m
		}
	}
	return byName
}

// points returns the values of a sum by the reason.
func points(t *testing.T, m metricdata.Metrics) map[string]int64 {
	t.Helper()
	data, ok := m.Data.(metricdata.Sum[int64])
	require.True(t, ok, m.Name)
	byReason := make(map[string]int64)
	for _, point := range data.DataPoints {
		reason, _ := point.Attributes.Value("waybill.remote.reason")
		byReason[reason.AsString()] = point.Value
	}
	return byReason
}

// docs/metrics.md says of each metric what it says itself.
func TestThePageListsEveryMetricOnce(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	newGroup(t, newMachine(t, natstest.Start(t, natstest.Options{}),
		remote.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))), "sessions")
	var made []string
	for name, m := range collected(t, reader) {
		value := "gauge"
		if sum, ok := m.Data.(metricdata.Sum[int64]); ok && sum.IsMonotonic {
			value = "grows"
		} else if ok {
			value = "rises and falls"
		}
		made = append(made, "| `"+name+"` | "+value+" | `"+m.Unit+"` | "+m.Description+" |")
	}
	page, err := os.ReadFile("../../docs/metrics.md")
	require.NoError(t, err)
	listed := regexp.MustCompile("(?m)^\\| `waybill\\.remote\\..*$").FindAllString(string(page), -1)
	assert.ElementsMatch(t, made, listed)
}

func TestMetricsAreTheStats(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	here, there := newMachine(t, server), newMachine(t, server)
	reader := sdkmetric.NewManualReader()
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test")
	registration, err := there.node.RegisterMetrics(meter, attribute.String("node", "there"))
	require.NoError(t, err)
	_, err = there.node.RegisterMetrics(meter, attribute.String("node", "there"))
	require.Error(t, err, "twice")
	_, err = there.node.RegisterMetrics(nil)
	require.Error(t, err)

	serve(t, there, "orders", orders(), shop())
	ref := refTo(t, here, "orders", orders())
	require.NoError(t, ref.Send(t.Context(), placeOrder{"lamp"}))
	_, err = count(t.Context(), ref, "")
	require.NoError(t, err)
	require.NoError(t, here.conn.Publish("orders", []byte("no order")))
	require.NoError(t, here.conn.Flush())
	eventually(t, func() bool { return there.node.Stats().Undecodable == 1 })
	eventually(t, func() bool { return there.node.Stats().Served.Pending == 0 })

	metrics := collected(t, reader)
	assert.Equal(t, map[string]int64{"": 3}, points(t, metrics["waybill.remote.received"]))
	assert.Equal(t, map[string]int64{"": 1}, points(t, metrics["waybill.remote.served.answered"]))
	assert.Equal(t, map[string]int64{"full": 0, "stopped": 0, "busy": 0, "codec": 1, "oversized": 0},
		points(t, metrics["waybill.remote.refused"]))
	require.NoError(t, registration.Unregister())
	assert.Empty(t, collected(t, reader))
}

// A node reports its groups too, each by its name, for as long as they are open.
func TestMetricsOfGroups(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	reader := sdkmetric.NewManualReader()
	here := newMachine(t, server, remote.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))))
	c := &cluster{}
	c.add(t, here, 2)
	c.add(t, newMachine(t, server), 3)
	c.settle(t)
	require.NoError(t, c.groups[0].Broadcast(t.Context(), "hello").Err)
	eventually(t, func() bool { return c.groups[0].Stats().RelayedTo == 2 })

	metrics := collected(t, reader)
	for name, want := range map[string]int64{"members": 2, "broadcasts": 1, "delivered": 5, "refused": 0, "relayed": 1, "relayed.delivered": 2} {
		data := metrics["waybill.remote.group."+name].Data.(metricdata.Sum[int64])
		assert.Equal(t, want, data.DataPoints[0].Value, name)
		group, _ := data.DataPoints[0].Attributes.Value("waybill.fanout.group")
		assert.Equal(t, "sessions", group.AsString())
	}
	for name, want := range map[string]float64{"nodes": 2, "size": 5} {
		assert.Equal(t, want, metrics["waybill.remote.group."+name].Data.(metricdata.Gauge[float64]).DataPoints[0].Value, name)
	}
	_, err := c.groups[1].RegisterMetrics(nil)
	require.Error(t, err)
	require.NoError(t, c.groups[0].Close(t.Context()))
	assert.NotContains(t, collected(t, reader), "waybill.remote.group.size")
}
