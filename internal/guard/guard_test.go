// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/internal/guard"
)

var errBroken = errors.New("broken")

func TestReportsAreBoundedAndCountWhatTheyLeaveOut(t *testing.T) {
	var told []*guard.Error
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		e, ok := errors.AsType[*guard.Error](err)
		require.True(t, ok)
		told = append(told, e)
	}))
	synctest.Test(t, func(t *testing.T) {
		before := guard.Recovered()
		for range 3 {
			for range 10 {
				guard.Do(func() { panic(errBroken) })
			}
			time.Sleep(time.Second)
		}
		assert.Equal(t, before+30, guard.Recovered())
		require.Len(t, told, 3)
		assert.Zero(t, told[0].Unsaid)
		assert.EqualValues(t, 9, told[1].Unsaid)
		assert.EqualValues(t, 9, told[2].Unsaid)
		assert.ErrorIs(t, told[0], errBroken)
		assert.Contains(t, told[0].Error(), "guard_test.go", "where it was")
		assert.Contains(t, told[1].Error(), "9 more")
	})
}

func TestErrorHandlerMayPanic(t *testing.T) {
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) { panic("so do I") }))
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Hour) // No report is near.
		before := guard.Recovered()
		assert.NotPanics(t, func() { guard.Do(func() { panic("I do") }) })
		assert.Equal(t, before+1, guard.Recovered())
	})
}

// broken is a tracer that panics, or makes no span.
type broken struct {
	trace.Tracer

	panics bool
}

func (b broken) Start(context.Context, string, ...trace.SpanStartOption) (context.Context, trace.Span) {
	if b.panics {
		panic(errBroken)
	}
	return nil, nil //nolint:nilnil // That is what is broken about it.
}

func TestStart(t *testing.T) {
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {}))
	for _, tracer := range []trace.Tracer{broken{panics: true}, broken{panics: false}} {
		ctx, span := guard.Start(t.Context(), tracer, "span")
		assert.Equal(t, t.Context(), ctx)
		assert.Nil(t, span)
	}
	ctx, span := guard.Start(t.Context(), noop.NewTracerProvider().Tracer("works"), "span")
	assert.NotNil(t, span)
	assert.NotEqual(t, t.Context(), ctx)
}
