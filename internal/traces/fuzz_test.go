// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package traces_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/traces"
)

// input is read by a fuzz test, and is zero at its end.
type input struct{ bytes []byte }

func (in *input) byte() byte {
	if len(in.bytes) == 0 {
		return 0
	}
	b := in.bytes[0]
	in.bytes = in.bytes[1:]
	return b
}

// one returns an element of all.
func one[T any](in *input, all ...T) T { return all[int(in.byte())%len(all)] }

func (in *input) text() string {
	n := min(int(in.byte()), len(in.bytes))
	s := string(in.bytes[:n])
	in.bytes = in.bytes[n:]
	return s
}

// time returns a point in time that peers may give by mistake or on purpose.
func (in *input) time() time.Time {
	return one(in, noon, noon.Add(time.Duration(in.byte())*time.Millisecond), time.Time{},
		time.Unix(0, 0), time.Unix(0, math.MaxInt64), time.Unix(0, math.MinInt64), time.Unix(1<<62, 0), time.Unix(-1<<62, 0))
}

func (in *input) value() attribute.Value {
	switch in.byte() % 12 {
	case 0:
		return attribute.Float64Value(one(in, 0, 1, -1, 1e300, math.NaN(), math.Inf(1), math.Inf(-1)))
	case 1:
		return attribute.Int64Value(one[int64](in, 0, 1, -1, 7, math.MaxInt64, math.MinInt64))
	case 2:
		return attribute.BoolValue(in.byte()%2 == 0)
	case 3:
		return attribute.StringSliceValue([]string{in.text(), in.text()})
	case 4:
		return attribute.SliceValue(in.value(), in.value())
	case 5:
		return attribute.MapValue(in.attribute(), in.attribute())
	case 6:
		return attribute.ByteSliceValue([]byte(in.text()))
	case 7:
		return attribute.Value{}
	case 8:
		return attribute.Int64SliceValue(make([]int64, in.byte()))
	default:
		return attribute.StringValue(in.text())
	}
}

func (in *input) attribute() attribute.KeyValue {
	if len(in.bytes) == 0 {
		return attribute.KeyValue{}
	}
	key := one(in, keys.LateReason, keys.FanoutSampled, keys.FanoutSize, keys.FanoutWeight, keys.FanoutMethod,
		keys.FanoutShed, keys.FanoutDelivered, keys.FanoutRefused, "", "waybill.", attribute.Key(in.text()))
	return attribute.KeyValue{Key: key, Value: in.value()}
}

func (in *input) attributes() (all []attribute.KeyValue) {
	for range in.byte() % 8 {
		all = append(all, in.attribute())
	}
	return all
}

func (in *input) context() trace.SpanContext {
	state, _ := trace.ParseTraceState(one(in, "", "a=b", "a=b,c=d"))
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: traceID(int(in.byte() % 8)), SpanID: spanID(int(in.byte() % 8)), Remote: in.byte()%2 == 0, TraceState: state,
	})
}

func (in *input) span() sdktrace.ReadOnlySpan {
	s := tracetest.SpanStub{
		Name: in.text(), SpanContext: in.context(), Parent: in.context(), SpanKind: trace.SpanKind(in.byte()),
		StartTime: in.time(), EndTime: in.time(), Attributes: in.attributes(),
		Status: sdktrace.Status{Code: codes.Code(in.byte() % 4), Description: in.text()},
	}
	if in.byte()%2 == 0 {
		s.Resource = resource.NewSchemaless(attribute.KeyValue{Key: "service.name", Value: in.value()})
		s.InstrumentationScope = instrumentation.Scope{Name: in.text(), Attributes: attribute.NewSet(in.attributes()...)}
	}
	if in.byte()%4 == 0 {
		s.Events = []sdktrace.Event{{Name: in.text(), Attributes: in.attributes()}}
		s.Links = []sdktrace.Link{{SpanContext: in.context(), Attributes: in.attributes()}}
	}
	return s.Snapshot()
}

// FuzzAdd adds spans that make no sense. Whatever they are, the store accounts for them and
// answers.
func FuzzAdd(f *testing.F) {
	f.Add([]byte("\x04name\x00\x01\x01\x00\x00\x00\x00\x00\x02\x00\x01"))
	f.Fuzz(func(t *testing.T, bytes []byte) {
		in := input{bytes}
		store := traces.New(traces.Config{Spans: 3})
		n := 0
		for len(in.bytes) > 0 {
			store.Add(in.span())
			n++
		}
		totals := store.Totals()
		conserved(t, totals)
		assert.EqualValues(t, n, totals.Seen)
		assert.GreaterOrEqual(t, totals.Naive, 0.0)
		assert.False(t, math.IsInf(totals.Naive, 0))
		found, more := store.Find(traces.Filter{})
		assert.False(t, more)
		kept := 0
		for _, sum := range found {
			assert.GreaterOrEqual(t, sum.Duration, time.Duration(0))
			assert.LessOrEqual(t, len(sum.Services), sum.Spans)
			kept += sum.Spans
			one, ok := store.Trace(sum.ID)
			assert.True(t, ok)
			assert.Len(t, one.Spans, sum.Spans)
			assert.True(t, sum.ID.IsValid())
		}
		assert.Equal(t, totals.Kept, kept)
		for _, b := range store.Broadcasts(1000) {
			assert.GreaterOrEqual(t, min(b.Size, b.Sampled, b.Delivered, b.Refused), int64(0))
			assert.LessOrEqual(t, max(len(b.Group), len(b.Method)), 128)
		}
		for _, filter := range []traces.Filter{{Name: "A"}, {Late: "any"}, {Service: "x"}, {Failed: true, AtLeast: 1}} {
			store.Find(filter)
		}
	})
}
