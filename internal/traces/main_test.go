// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package traces_test

import (
	"encoding/binary"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is when traces begin.
var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// stub is a span that a test makes.
type stub struct {
	trace, id, parent int // 0 is no ID
	name              string
	service           *resource.Resource
	from, took        time.Duration // since noon
	remote            bool          // the parent is in another process
	failed            bool
	attributes        []attribute.KeyValue
}

func (s stub) span() sdktrace.ReadOnlySpan {
	span := tracetest.SpanStub{
		Name:        s.name,
		SpanContext: trace.NewSpanContext(trace.SpanContextConfig{TraceID: traceID(s.trace), SpanID: spanID(s.id)}),
		StartTime:   noon.Add(s.from), EndTime: noon.Add(s.from + s.took),
		Attributes: s.attributes, Resource: s.service,
	}
	if s.parent != 0 {
		span.Parent = trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: traceID(s.trace), SpanID: spanID(s.parent), Remote: s.remote,
		})
	}
	if s.failed {
		span.Status.Code = codes.Error
	}
	return span.Snapshot()
}

func traceID(n int) (id trace.TraceID) {
	binary.BigEndian.PutUint64(id[8:], uint64(n))
	return id
}

func spanID(n int) (id trace.SpanID) {
	binary.BigEndian.PutUint64(id[:], uint64(n))
	return id
}

func service(name string) *resource.Resource {
	return resource.NewSchemaless(attribute.String("service.name", name))
}
