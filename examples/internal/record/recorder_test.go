// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package record_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/examples/internal/record"
)

func recording(limits record.Limits) (*record.Recorder, trace.Tracer) {
	r := record.New(limits)
	return r, sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r)).Tracer("test")
}

// end makes n spans in ctx.
func end(ctx context.Context, tracer trace.Tracer, n int, opts ...trace.SpanStartOption) {
	for range n {
		_, span := tracer.Start(ctx, "span", opts...)
		span.End()
	}
}

// held returns how many spans r keeps.
func held(r *record.Recorder) (spans int) {
	for _, id := range r.Traces() {
		spans += len(r.Trace(id))
	}
	return spans
}

func TestTheOldestTracesAreForgotten(t *testing.T) {
	r, tracer := recording(record.Limits{Traces: 3})
	var ids []trace.TraceID
	for range 10 {
		ctx, root := tracer.Start(t.Context(), "root")
		end(ctx, tracer, 2)
		root.End()
		ids = append(ids, root.SpanContext().TraceID())
	}
	assert.Equal(t, ids[7:], r.Traces())
	assert.Len(t, r.Trace(ids[9]), 3)
	assert.Empty(t, r.Trace(ids[0]))
	assert.Equal(t, record.Counts{Spans: 30, LeftOut: 21}, r.Counts())
}

func TestATraceIsCut(t *testing.T) {
	r, tracer := recording(record.Limits{Spans: 10})
	ctx, root := tracer.Start(t.Context(), "root")
	end(ctx, tracer, 25)
	root.End()
	assert.Len(t, r.Trace(root.SpanContext().TraceID()), 10)
	assert.Equal(t, record.Counts{Spans: 26, LeftOut: 16}, r.Counts())
}

// Memory keeps to its limit, whatever spans there are, and what is left out is
// counted.
func TestMemoryIsBounded(t *testing.T) {
	const limit = 4 << 20
	many := make([]attribute.KeyValue, 40)
	for i := range many {
		many[i] = attribute.Int(fmt.Sprintf("key.%d", i), i)
	}
	for _, test := range []struct {
		name  string
		spans int
		opts  func() []trace.SpanStartOption
	}{
		{"small", 40_000, func() []trace.SpanStartOption { return nil }},
		{"attributes", 5_000, func() []trace.SpanStartOption {
			return []trace.SpanStartOption{trace.WithAttributes(many...)}
		}},
		{"long strings", 1_000, func() []trace.SpanStartOption {
			return []trace.SpanStartOption{trace.WithAttributes(attribute.String("key", strings.Repeat("x", 20_000)))}
		}},
		{"lists", 1_000, func() []trace.SpanStartOption {
			return []trace.SpanStartOption{trace.WithAttributes(attribute.StringSlice("key", []string{strings.Repeat("x", 20_000)}))}
		}},
		{"links", 2_000, func() []trace.SpanStartOption {
			return []trace.SpanStartOption{trace.WithLinks(trace.Link{
				SpanContext: trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}}),
				Attributes:  slices.Clone(many),
			})}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, tracer := recording(record.Limits{Bytes: limit})
			before := heap()
			for range test.spans {
				end(t.Context(), tracer, 1, test.opts()...)
			}
			used := heap() - before
			t.Logf("%d of %d spans in %d KiB", held(r), test.spans, used>>10)
			assert.Less(t, used, int64(limit*3/2))
			assert.Greater(t, used, int64(limit/2), "the limit is used")
			counts := r.Counts()
			assert.Equal(t, test.spans, counts.Spans)
			assert.Equal(t, test.spans-held(r), counts.LeftOut)
			require.NotZero(t, counts.LeftOut)
			runtime.KeepAlive(r)
		})
	}
}

// One trace that is larger than the limit keeps its first spans.
func TestOneLongTraceKeepsToTheLimit(t *testing.T) {
	r, tracer := recording(record.Limits{Bytes: 100_000})
	ctx, root := tracer.Start(t.Context(), "root")
	end(ctx, tracer, 1000)
	root.End()
	assert.Equal(t, record.Counts{Spans: 1001, LeftOut: 1001 - held(r)}, r.Counts())
	assert.Less(t, held(r), 250)
	assert.Greater(t, held(r), 100)
	end(t.Context(), tracer, 1)
	assert.Len(t, r.Traces(), 1, "it makes room for the next")
	assert.Equal(t, 1, held(r))
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestOpenSpansAreCounted(t *testing.T) {
	r, tracer := recording(record.Limits{Spans: 1})
	ctx, root := tracer.Start(t.Context(), "root")
	_, child := tracer.Start(ctx, "child")
	assert.EqualValues(t, 2, r.Open())
	child.End()
	assert.EqualValues(t, 1, r.Open())
	root.End()
	assert.Zero(t, r.Open())
}
