// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package explain_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/traces/explain"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	internal = trace.SpanKindInternal
	server   = trace.SpanKindServer
	client   = trace.SpanKindClient
	producer = trace.SpanKindProducer
	consumer = trace.SpanKindConsumer
)

// begin is when the traces here begin.
var begin = time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC)

// after returns the time so many milliseconds after begin, to a microsecond.
func after(ms float64) time.Time {
	return begin.Add(time.Duration(math.Round(ms*1000)) * time.Microsecond)
}

// id returns the ID of span n.
func id(n int) (id trace.SpanID) {
	binary.BigEndian.PutUint64(id[:], uint64(n))
	return id
}

func contextOf(n int) trace.SpanContext {
	if n == 0 {
		return trace.SpanContext{}
	}
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: id(n), TraceFlags: trace.FlagsSampled})
}

// option changes a span.
type option func(*tracetest.SpanStub)

// span returns span n below span parent, from and to in milliseconds.
func span(n, parent int, kind trace.SpanKind, name string, from, to float64, opts ...option) tracetest.SpanStub {
	s := tracetest.SpanStub{
		Name: name, SpanContext: contextOf(n), Parent: contextOf(parent), SpanKind: kind, StartTime: after(from), EndTime: after(to),
	}
	for _, o := range opts {
		o(&s)
	}
	return s
}

func with(attrs ...attribute.KeyValue) option {
	return func(s *tracetest.SpanStub) { s.Attributes = append(s.Attributes, attrs...) }
}

// queued says that the message waited so many milliseconds.
func queued(ms float64) option { return with(keys.QueueDuration.Float64(ms / 1000)) }

func network(ms float64) option { return with(keys.NetworkDuration.Float64(ms / 1000)) }

func late(reason string) option { return with(keys.LateReason.String(reason)) }

// of says which process handled what.
func of(kind, id, message string) option {
	return with(keys.ProcessKind.String(kind), keys.ProcessID.String(id), keys.MessageType.String(message))
}

func in(service string, more ...attribute.KeyValue) option {
	return func(s *tracetest.SpanStub) {
		s.Resource = resource.NewSchemaless(append(more, attribute.String("service.name", service))...)
	}
}

func failed(s *tracetest.SpanStub) {
	s.Status = sdktrace.Status{Code: codes.Error, Description: "it went wrong"}
}

func linked(reason string) option {
	return func(s *tracetest.SpanStub) {
		s.Links = append(s.Links, sdktrace.Link{
			SpanContext: contextOf(99), Attributes: []attribute.KeyValue{keys.LinkReason.String(reason)},
		})
	}
}

// number returns which span has the ID.
func number(id trace.SpanID) uint64 { return binary.BigEndian.Uint64(id[:]) }

// ms returns t in milliseconds since begin.
func ms(t time.Time) float64 { return float64(t.Sub(begin)) / float64(time.Millisecond) }

// steps writes a path, in milliseconds since begin, as "1 work 0-20".
func steps(e explain.Explanation) []string {
	lines := []string{}
	for _, s := range e.Path {
		lines = append(lines, fmt.Sprintf("%d %v %v-%v", number(s.Span), s.What, ms(s.From), ms(s.To)))
	}
	return lines
}

func snapshots(spans ...tracetest.SpanStub) []sdktrace.ReadOnlySpan {
	return tracetest.SpanStubs(spans).Snapshots()
}
