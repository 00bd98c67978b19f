// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

// Groups of one name are apart if their IDs differ, even from one without an ID whose node is
// called like that.
func TestGroupsOfOneName(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	ids := []string{"", "1", "2", "1.2", ">"}
	reached := make([]atomic.Int64, len(ids))
	here, there := newMachine(t, server, remote.WithID("1")), newMachine(t, server, remote.WithID("2"))
	groups := make([]*remote.Group[string], len(ids))
	for i, id := range ids {
		groups[i] = newGroup(t, here, "sessions", remote.WithGroupID(id))
		other := newGroup(t, there, "sessions", remote.WithGroupID(id))
		join(t, there, other, i+1, func(context.Context, string) error {
			reached[i].Add(1)
			return nil
		})
	}
	for i, g := range groups {
		require.Eventually(t, func() bool { return g.Size() == i+1 }, patience, time.Millisecond, ids[i])
		d := g.Broadcast(t.Context(), "hello")
		require.NoError(t, d.Err)
		assert.Equal(t, i+1, d.Delivered)
	}
	require.Eventually(t, func() bool {
		for i := range reached {
			if reached[i].Load() < int64(i+1) {
				return false
			}
		}
		return true
	}, patience, time.Millisecond)
	for i := range reached {
		assert.EqualValues(t, i+1, reached[i].Load(), ids[i])
	}
	_, err := remote.NewGroup(here.node, "sessions", text(), remote.WithGroupID("2"))
	assert.ErrorIs(t, err, mailbox.ErrConfig, "there is one already")
	_, err = remote.NewGroup(here.node, "sessions", text(), remote.WithGroupID(string(make([]byte, 1000))))
	assert.ErrorIs(t, err, mailbox.ErrConfig)
}

// Groups that metrics could not tell apart are not in them by themselves.
func TestMetricsOfGroupsWithAnID(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	reader := sdkmetric.NewManualReader()
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	m := newMachine(t, server, remote.WithMeterProvider(meters))
	for i := range 3 {
		newGroup(t, m, "sessions", remote.WithGroupID(fmt.Sprint(i)))
	}
	assert.NotContains(t, namesOf(t, reader), "waybill.remote.group.nodes")
	newGroup(t, m, "sessions")
	assert.Contains(t, namesOf(t, reader), "waybill.remote.group.nodes")
}

// namesOf returns the names of all metrics.
func namesOf(t *testing.T, reader sdkmetric.Reader) (names []string) {
	t.Helper()
	var collected metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &collected))
	for _, scope := range collected.ScopeMetrics {
		for _, m := range scope.Metrics {
			names = append(names, m.Name)
		}
	}
	return names
}
