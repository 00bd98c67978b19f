// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/waybill-go/waybill/mailbox"
)

// Each kind has counts of its own, whether its processes live or have ended, and
// together they are the system's.
func TestKindStats(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		assert.Empty(t, sys.KindStats())
		worker, clerk := spawn(t, sys, "worker", do), spawn(t, sys, "clerk", do)
		other := spawn(t, sys, "worker", do) // A Kind of its own.
		require.NoError(t, worker.Send(context.Background(), nothing))
		require.NoError(t, worker.Send(context.Background(), fails))
		require.NoError(t, clerk.Send(context.Background(), nothing))
		require.NoError(t, other.Send(context.Background(), nothing))
		settle()
		want := map[string]mailbox.Stats{
			"worker": {Processes: 2, Accepted: 3, Handled: 2, Failed: 1},
			"clerk":  {Processes: 1, Accepted: 1, Handled: 1},
		}
		assert.Equal(t, want, sys.KindStats())
		require.NoError(t, worker.Stop(t.Context()))
		require.NoError(t, clerk.Stop(t.Context()))
		require.ErrorIs(t, clerk.Send(context.Background(), nothing), mailbox.ErrStopped)
		want["worker"] = mailbox.Stats{Processes: 1, Accepted: 3, Handled: 2, Failed: 1}
		want["clerk"] = mailbox.Stats{Accepted: 1, Handled: 1, Refused: mailbox.Refused{Stopped: 1}}
		assert.Equal(t, want, sys.KindStats())
		assert.Equal(t, mailbox.Stats{
			Processes: 1, Accepted: 4, Handled: 3, Failed: 1, Refused: mailbox.Refused{Stopped: 1},
		}, sys.Stats())
		drain(t, sys)
	})
}

// The sum over the kinds leaves no figure out.
func TestStatsAddsEveryFigure(t *testing.T) {
	distinct := mailbox.DistinctStats()
	sum := mailbox.AddStats(distinct, distinct)
	for i := range reflect.TypeOf(sum).NumField() {
		name := reflect.TypeOf(sum).Field(i).Name
		one, both := figures(reflect.ValueOf(distinct).Field(i)), figures(reflect.ValueOf(sum).Field(i))
		for j := range one {
			assert.NotZero(t, one[j], name)
			assert.Equal(t, 2*one[j], both[j], name)
		}
	}
}

// figures returns all numbers in v.
func figures(v reflect.Value) (all []uint64) {
	switch v.Kind() {
	case reflect.Struct:
		for _, field := range v.Fields() {
			all = append(all, figures(field)...)
		}
	case reflect.Int:
		all = append(all, uint64(v.Int()))
	default:
		all = append(all, v.Uint())
	}
	return all
}

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
		sendAll(t, user, nothing)
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
