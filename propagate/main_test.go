// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate_test

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/propagate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	traceID   = "4bf92f3577b34da6a3ce929d0e0e4736"
	spanID    = "00f067aa0ba902b7"
	unsampled = "00-" + traceID + "-" + spanID + "-00"
	sampled   = "00-" + traceID + "-" + spanID + "-01"
)

// spanContext builds a local span context with the identifiers above.
func spanContext(tb testing.TB, flags trace.TraceFlags, state string) trace.SpanContext {
	tb.Helper()
	tid, err := trace.TraceIDFromHex(traceID)
	require.NoError(tb, err)
	sid, err := trace.SpanIDFromHex(spanID)
	require.NoError(tb, err)
	ts, err := trace.ParseTraceState(state)
	require.NoError(tb, err)
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: tid, SpanID: sid, TraceFlags: flags, TraceState: ts})
}

// contextWith builds a context with both; either may be empty.
func contextWith(tb testing.TB, sc trace.SpanContext, bag string) context.Context {
	tb.Helper()
	b, err := baggage.Parse(bag)
	require.NoError(tb, err)
	return baggage.ContextWithBaggage(trace.ContextWithSpanContext(tb.Context(), sc), b)
}

func bagOf(ctx context.Context) string { return baggage.FromContext(ctx).String() }

// decision is what a traceparent says about its trace.
type decision struct{ sampled, ok bool }

var (
	saysNothing   = decision{}
	saysUnsampled = decision{ok: true}
	saysSampled   = decision{sampled: true, ok: true}
)

func peek(s string) decision {
	sampled, ok := propagate.Peek(s)
	return decision{sampled, ok}
}

func peekHeader(header map[string][]string) decision {
	sampled, ok := propagate.PeekHeader(header)
	return decision{sampled, ok}
}

// sampledFirst builds a propagator with counters of its own.
func sampledFirst() propagate.SampledFirst {
	return propagate.SampledFirst{Counters: new(propagate.Counters)}
}

// dropUnsampled is the same that drops unsampled contexts.
func dropUnsampled() propagate.SampledFirst {
	return propagate.SampledFirst{DropUnsampled: true, Counters: new(propagate.Counters)}
}

// getter is the least a carrier can be: it neither deletes nor repeats, as the
// one that instrumentation of gRPC has for its metadata.
type getter struct{ m map[string]string }

func (c getter) Get(key string) string { return c.m[key] }
func (c getter) Set(key, value string) { c.m[key] = value }
func (c getter) Keys() []string        { return propagation.MapCarrier(c.m).Keys() }

// multi is a carrier of lower-case keys with repeated values.
type multi map[string][]string

func (c multi) Get(key string) string {
	if len(c[key]) == 0 {
		return ""
	}
	return c[key][0]
}
func (c multi) Set(key, value string)      { c[key] = []string{value} }
func (c multi) Keys() []string             { return propagation.HeaderCarrier(c).Keys() }
func (c multi) Values(key string) []string { return c[key] }

// carriers builds one of every kind that is treated differently.
var carriers = map[string]func() propagation.TextMapCarrier{
	"header":  func() propagation.TextMapCarrier { return propagation.HeaderCarrier{} },
	"map":     func() propagation.TextMapCarrier { return propagation.MapCarrier{} },
	"getter":  func() propagation.TextMapCarrier { return getter{m: map[string]string{}} },
	"multi":   func() propagation.TextMapCarrier { return multi{} },
	"deleter": func() propagation.TextMapCarrier { return deleter{getter{m: map[string]string{}}} },
	"bytes":   func() propagation.TextMapCarrier { return inBytes{} },
	"embedded": func() propagation.TextMapCarrier {
		return embedded{propagation.HeaderCarrier{}}
	},
	"own header": func() propagation.TextMapCarrier { return propagate.HeaderCarrier(map[string][]string{}) },
	"own list":   func() propagation.TextMapCarrier { return propagate.MetadataCarrier(map[string][]string{}) },
	"own map":    func() propagation.TextMapCarrier { return propagate.MapCarrier(map[string]string{}) },
	"own table":  func() propagation.TextMapCarrier { return propagate.TableCarrier(map[string]any{}) },
	"own pairs":  func() propagation.TextMapCarrier { return kafkaPairs(&[]kafkaHeader{}) },
	"own pointers": func() propagation.TextMapCarrier {
		return pointerPairs(&[]*bytesHeader{})
	},
}

// deleter can delete by a method only.
type deleter struct{ getter }

func (c deleter) Delete(key string) { delete(c.m, key) }

// embedded hides a HeaderCarrier behind a type of its own, with the method for
// deletion that http.Header has.
type embedded struct{ propagation.HeaderCarrier }

func (c embedded) Del(key string) { http.Header(c.HeaderCarrier).Del(key) }

// inBytes keeps bytes, as the records of brokers do.
type inBytes map[string][]byte

func (c inBytes) Get(key string) string             { return string(c[key]) }
func (c inBytes) Set(key, value string)             { c[key] = []byte(value) }
func (c inBytes) SetBytes(key string, value []byte) { c[key] = value }
func (c inBytes) Keys() []string                    { return slices.Collect(maps.Keys(c)) }
