// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sentinel_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/sentinel"
)

func TestEachReadDrawsATraceID(t *testing.T) {
	span := trace.SpanFromContext(sentinel.ContextWith(t.Context()))
	seen := make(map[trace.TraceID]bool)
	const reads = 1000
	for range reads {
		sc := span.SpanContext()
		assert.True(t, sc.IsValid())
		assert.False(t, sc.IsSampled())
		assert.False(t, sc.IsRemote())
		assert.True(t, sentinel.Is(sc))
		seen[sc.TraceID()] = true
	}
	assert.Len(t, seen, reads, "two of a thousand agree once in 2⁴⁴")
}

func TestIsGoesByShape(t *testing.T) {
	sc := sentinel.SpanContext()
	assert.True(t, sentinel.Is(sc.WithRemote(true)), "back from another service")
	assert.True(t, sentinel.Is(sc.WithSpanID(trace.SpanID{5})), "a child that does not record")
	assert.False(t, sentinel.Is(sc.WithTraceFlags(trace.FlagsSampled)))
	assert.False(t, sentinel.Is(trace.SpanContext{}))
	id := sc.TraceID()
	id[15] = 1
	assert.False(t, sentinel.Is(sc.WithTraceID(id)))
}

func TestIsCurrent(t *testing.T) {
	ctx := sentinel.ContextWith(t.Context())
	assert.True(t, sentinel.IsCurrent(trace.SpanFromContext(ctx)))
	assert.False(t, sentinel.IsCurrent(trace.SpanFromContext(t.Context())))
	fixed := trace.ContextWithSpanContext(t.Context(), sentinel.SpanContext())
	assert.False(t, sentinel.IsCurrent(trace.SpanFromContext(fixed)))
}

func TestAReadAllocatesNothing(t *testing.T) {
	span := trace.SpanFromContext(sentinel.ContextWith(t.Context()))
	var sc trace.SpanContext
	assert.Zero(t, testing.AllocsPerRun(100, func() { sc = span.SpanContext() }))
	assert.True(t, sc.IsValid())
}

func BenchmarkRead(b *testing.B) {
	span := trace.SpanFromContext(sentinel.ContextWith(b.Context()))
	b.ReportAllocs()
	for b.Loop() {
		if !span.SpanContext().IsValid() {
			b.Fatal("a sentinel that is not valid")
		}
	}
}
