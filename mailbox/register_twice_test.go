// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// A system that is registered twice is not counted twice, and whoever does it is
// told.
func TestSystemIsRegisteredOnce(t *testing.T) {
	sys := newSystem(t)
	reader := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	_, err := sys.RegisterMetrics(provider.Meter("test"))
	require.NoError(t, err)
	_, err = sys.RegisterMetrics(provider.Meter("test"))
	require.ErrorContains(t, err, "already")

	worker := spawn(t, sys, "worker", do)
	require.NoError(t, worker.Send(context.Background(), nothing))
	drain(t, sys)
	points, _ := measured(t, reader)
	assert.EqualValues(t, 1, points["accepted{waybill.process.kind=worker}"])
}
