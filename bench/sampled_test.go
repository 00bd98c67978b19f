// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/keys"
)

// What is compared are equal spans.
func TestTheSpanByHandIsThatOfTheLibrary(t *testing.T) {
	spans := map[string]sdktrace.ReadOnlySpan{}
	for _, v := range sampledRow().variants {
		c, err := v.set(1)
		require.NoError(t, err)
		recorder := tracetest.NewSpanRecorder()
		c.traces.provider.RegisterSpanProcessor(recorder)
		require.NoError(t, c.run(3))
		require.NoError(t, c.tear())
		assert.Positive(t, c.timed())
		if v.name == oursUntraced {
			assert.Empty(t, recorder.Ended())
			continue
		}
		require.Len(t, recorder.Ended(), 3)
		for _, span := range recorder.Ended() {
			assert.Equal(t, trace.SpanContextFromContext(c.traces.ctx), span.Parent())
		}
		spans[v.name] = recorder.Ended()[2]
	}
	hand, library := spans[raw], spans[oursSampled]
	assert.Equal(t, library.Name(), hand.Name())
	assert.Equal(t, library.SpanKind(), hand.SpanKind())
	assert.Equal(t, library.Status(), hand.Status())
	assert.Equal(t, withoutDuration(t, library), withoutDuration(t, hand))
}

// withoutDuration returns span's attributes in their order, but for the value of
// the one that is a time.
func withoutDuration(t *testing.T, span sdktrace.ReadOnlySpan) []attribute.KeyValue {
	t.Helper()
	attrs := span.Attributes()
	for i, a := range attrs {
		if a.Key == keys.QueueDuration {
			assert.Positive(t, a.Value.AsFloat64())
			attrs[i] = a.Key.Float64(0)
		}
	}
	assert.Len(t, attrs, 4)
	return attrs
}

func TestMoreThanALoadIsHandledInSeveral(t *testing.T) {
	for _, v := range sampledRow().variants {
		c, err := v.set(1)
		require.NoError(t, err)
		require.NoError(t, c.run(2*sendCapacity+3))
		assert.Equal(t, 2*sendCapacity+3, c.handled())
		require.NoError(t, c.tear())
	}
}
