// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// What is compared on streams are equal spans.
func TestTheSpanOfAStreamByHandIsThatOfTheLibrary(t *testing.T) {
	for _, r := range []row{streamRow(), streamFlowRow()} {
		spans := map[string]sdktrace.ReadOnlySpan{}
		for _, v := range r.variants {
			c, err := v.set(1)
			require.NoError(t, err)
			recorder := tracetest.NewSpanRecorder()
			if c.traces != nil {
				c.traces.provider.RegisterSpanProcessor(recorder)
			}
			require.NoError(t, c.run(3))
			require.NoError(t, c.tear())
			assert.Equal(t, 3, c.handled())
			assert.Len(t, recorder.Ended(), 3*c.spans[0])
			if len(recorder.Ended()) > 0 {
				spans[v.name] = recorder.Ended()[0]
			}
		}
		hand, library := spans[rawSampled], spans[oursSampled]
		assert.Equal(t, library.Name(), hand.Name())
		assert.Equal(t, library.SpanKind(), hand.SpanKind())
		require.Len(t, hand.Attributes(), len(library.Attributes()))
		for i, a := range library.Attributes() {
			assert.Equal(t, a.Key, hand.Attributes()[i].Key)
			assert.Equal(t, a.Value.Type(), hand.Attributes()[i].Value.Type())
		}
	}
}
