// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package traces_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/traces"
)

// of returns what is said of a trace, and fails if it is not there.
func of(t *testing.T, store *traces.Store, id trace.TraceID) traces.Summary {
	t.Helper()
	found, more := store.Find(traces.Filter{Limit: math.MaxInt32})
	require.False(t, more)
	for _, summary := range found {
		if summary.ID == id {
			return summary
		}
	}
	require.FailNow(t, "the trace is not kept")
	return traces.Summary{}
}

func TestATraceThatComesBackHasTheTimesOfWhatIsThere(t *testing.T) {
	store := traces.New(traces.Config{Bytes: 1})
	const spread = 1 << 48 // of the IDs, of which the last eight bytes should be random
	store.Add(stub{trace: spread, id: 1, name: "GET /", took: time.Millisecond}.span())
	for i := 2; store.Has(traceID(spread)); i++ {
		require.Less(t, i, 1000)
		store.Add(stub{
			trace: i * spread, id: 1, name: strings.Repeat("x", 10_000),
			from: time.Duration(i-500) * time.Hour, took: time.Hour,
		}.span())
	}
	store.Add(stub{trace: spread, id: 2, parent: 1, name: "late", from: time.Second, took: time.Millisecond}.span())
	summary := of(t, store, traceID(spread))
	assert.Equal(t, 1, summary.LeftOut)
	assert.Equal(t, noon.Add(time.Second), summary.Start)
	assert.Equal(t, time.Millisecond, summary.Duration)
}

func TestATraceOfExtremeTimesIsNotShort(t *testing.T) {
	store := traces.New(traces.Config{})
	span := func(id int, start, end time.Time) sdktrace.ReadOnlySpan {
		return tracetest.SpanStub{
			Name: "s", StartTime: start, EndTime: end,
			SpanContext: trace.NewSpanContext(trace.SpanContextConfig{TraceID: traceID(id), SpanID: spanID(id)}),
		}.Snapshot()
	}
	store.Add(span(1, time.Time{}, noon)) // A span without a start.
	store.Add(span(2, noon, time.Time{})) // A span without an end.
	assert.Equal(t, time.Duration(math.MaxInt64), of(t, store, traceID(1)).Duration)
	assert.Zero(t, of(t, store, traceID(2)).Duration)
	found, _ := store.Find(traces.Filter{AtLeast: time.Hour})
	assert.Len(t, found, 1)
}
