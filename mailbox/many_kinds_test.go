// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// A program that names kinds after its users keeps its memory and its metrics, is
// told so, and no count is lost.
func TestKindsNamedAfterUsersAreCountedTogether(t *testing.T) {
	var told []error
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		if strings.HasPrefix(err.Error(), "mailbox: ") {
			told = append(told, err)
		}
	}))
	defer otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {}))
	sys := newSystem(t)
	reader := sdkmetric.NewManualReader()
	_, err := sys.RegisterMetrics(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test"))
	require.NoError(t, err)
	const kinds = 1000 + 300
	for i := range kinds {
		user := spawn(t, sys, fmt.Sprint("user-", i), do)
		require.NoError(t, user.Send(context.Background(), nothing))
		require.NoError(t, user.Stop(context.Background()))
	}
	byKind := sys.KindStats()
	assert.Len(t, byKind, 1001)
	assert.EqualValues(t, 1, byKind["user-999"].Handled)
	assert.EqualValues(t, 300, byKind["others"].Handled)
	assert.EqualValues(t, kinds, sys.Stats().Handled)
	points, _ := measured(t, reader)
	assert.EqualValues(t, 300, points["handled{waybill.process.kind=others}"])

	require.Len(t, told, 9, "at 1, 2, 4 … 256 more")
	assert.ErrorContains(t, told[8], "256 kinds more than the 1000")
	drain(t, sys)
}
