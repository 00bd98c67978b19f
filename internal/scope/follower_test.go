// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package scope_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/internal/scope"
)

// counting is a provider that counts how often it is asked for a tracer.
type counting struct {
	embedded.TracerProvider

	asked *int
}

func (c counting) Tracer(name string, opts ...trace.TracerOption) trace.Tracer {
	*c.asked++
	return noop.NewTracerProvider().Tracer(name, opts...)
}

// uncomparable is a provider that panics if it is compared with another.
type uncomparable struct {
	counting

	_ []int
}

func TestFollowerFollowsEveryProvider(t *testing.T) {
	defer otel.SetTracerProvider(noop.NewTracerProvider())
	tracer := scope.Tracer(nil, "envelope") // Before anybody has set a provider.
	tracer.Start(t.Context(), "lost")
	for _, name := range []string{"first", "second", "third"} {
		recorder := tracetest.NewSpanRecorder()
		otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)))
		tracer.Start(t.Context(), name)
		require.Len(t, recorder.Started(), 1)
		assert.Equal(t, name, recorder.Started()[0].Name())
		of := recorder.Started()[0].InstrumentationScope()
		assert.Equal(t, "github.com/waybill-go/waybill/envelope", of.Name)
		assert.Equal(t, scope.Version, of.Version)
	}
}

func TestFollowerAsksAProviderOnce(t *testing.T) {
	defer otel.SetTracerProvider(noop.NewTracerProvider())
	tracer := scope.Tracer(nil, "envelope")
	asked := 0
	otel.SetTracerProvider(counting{asked: &asked})
	for range 10 {
		tracer.Start(t.Context(), "span")
	}
	assert.Equal(t, 1, asked)
}

// A provider may be of a type whose values cannot be compared. Then it is asked each time.
func TestFollowerComparesNothingThatPanics(t *testing.T) {
	defer otel.SetTracerProvider(noop.NewTracerProvider())
	tracer := scope.Tracer(nil, "envelope")
	asked, askedLast := 0, 0
	otel.SetTracerProvider(uncomparable{counting: counting{asked: &asked}})
	tracer.Start(t.Context(), "span")
	tracer.Start(t.Context(), "span")
	assert.Equal(t, 2, asked)
	otel.SetTracerProvider(uncomparable{counting: counting{asked: &askedLast}})
	tracer.Start(t.Context(), "span")
	assert.Equal(t, 1, askedLast)
}

func TestGivenProviderStays(t *testing.T) {
	defer otel.SetTracerProvider(noop.NewTracerProvider())
	given, global := tracetest.NewSpanRecorder(), tracetest.NewSpanRecorder()
	tracer := scope.Tracer(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(given)), "envelope")
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(global)))
	tracer.Start(t.Context(), "span")
	assert.Len(t, given.Started(), 1)
	assert.Empty(t, global.Started())
}
