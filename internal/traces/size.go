// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"context"
	"reflect"
	"unsafe"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// What the SDK and this package allocate for each of these, without strings.
const (
	spanBytes      = 480 // of the SDK; measured
	attributeBytes = int(unsafe.Sizeof(attribute.KeyValue{}))
	valueBytes     = int(unsafe.Sizeof(attribute.Value{}))
	eventBytes     = int(unsafe.Sizeof(sdktrace.Event{}))
	linkBytes      = int(unsafe.Sizeof(sdktrace.Link{}))
	memberBytes    = 48 // of a tracestate
	resourceBytes  = 256
	traceBytes     = int(unsafe.Sizeof(kept{})) + 64 // with its place in a map
	itemBytes      = int(unsafe.Sizeof(item{}))
	idBytes        = 24 // in a map
)

// stateSize returns about how many bytes the tracestate of sc takes.
func stateSize(sc *trace.SpanContext) int {
	state, size := sc.TraceState(), 0
	state.Walk(func(key, value string) bool {
		size += memberBytes + len(key) + len(value)
		return true
	})
	return size
}

func attributesSize(attributes []attribute.KeyValue) int {
	size := len(attributes) * attributeBytes
	for i := range attributes {
		a := &attributes[i]
		size += len(a.Key)
		switch a.Value.Type() {
		case attribute.STRING:
			size += len(a.Value.AsString())
		case attribute.EMPTY, attribute.BOOL, attribute.INT64, attribute.FLOAT64:
		default:
			size += valueSize(a.Value)
		}
	}
	return size
}

// valueSize returns about how many bytes a value takes beside the value itself.
func valueSize(v attribute.Value) int {
	switch v.Type() {
	case attribute.EMPTY, attribute.BOOL, attribute.INT64, attribute.FLOAT64:
		return 0
	case attribute.STRING:
		return len(v.AsString())
	case attribute.BYTESLICE:
		return len(v.AsByteSlice())
	case attribute.SLICE:
		size := 0
		for _, element := range v.AsSlice() {
			size += valueBytes + valueSize(element)
		}
		return size
	case attribute.MAP:
		return attributesSize(v.AsMap())
	case attribute.BOOLSLICE:
		return len(v.AsBoolSlice())
	case attribute.INT64SLICE:
		return len(v.AsInt64Slice()) * int(unsafe.Sizeof(int64(0)))
	case attribute.FLOAT64SLICE:
		return len(v.AsFloat64Slice()) * int(unsafe.Sizeof(float64(0)))
	case attribute.STRINGSLICE:
		size := 0
		for _, element := range v.AsStringSlice() {
			size += int(unsafe.Sizeof(element)) + len(element)
		}
		return size
	default:
		return len(v.String())
	}
}

// scopeSize returns about how many bytes the scope of a span takes.
func scopeSize(span sdktrace.ReadOnlySpan) int {
	scope := span.InstrumentationScope()
	return len(scope.Name) + len(scope.Version) + len(scope.SchemaURL) + attributesSize(scope.Attributes.ToSlice())
}

// isOfSDK reports whether the SDK has made a span. All spans of one of its tracers share a
// scope. Others may have been read from somewhere, with a scope for each.
func isOfSDK(span sdktrace.ReadOnlySpan) bool { return reflect.TypeOf(span) == sdkType }

var sdkType = typeOfSDK()

func typeOfSDK() reflect.Type {
	var t typeTaker
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithSampler(sdktrace.AlwaysSample()), sdktrace.WithResource(resource.Empty()), sdktrace.WithSpanProcessor(&t))
	_, span := provider.Tracer("").Start(context.Background(), "")
	span.End()
	return t.taken
}

// typeTaker is a span processor that takes the type of spans.
type typeTaker struct{ taken reflect.Type }

func (*typeTaker) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (t *typeTaker) OnEnd(span sdktrace.ReadOnlySpan)              { t.taken = reflect.TypeOf(span) }
func (*typeTaker) Shutdown(context.Context) error                  { return nil }
func (*typeTaker) ForceFlush(context.Context) error                { return nil }

// resources has the resources of the spans that are kept. Many spans share one.
type resources map[*resource.Resource]*sharedResource

type sharedResource struct {
	of      *resource.Resource
	service string
	bytes   int
	traces  int // that have spans of it
}

// serviceKey is the attribute of a resource with the name of the service, as OpenTelemetry's
// conventions say.
const serviceKey = attribute.Key("service.name")

// use counts a trace that has spans of r. more is how many bytes that takes.
func (m resources) use(r *resource.Resource) (shared *sharedResource, more int) {
	shared = m[r]
	if shared == nil {
		name, _ := r.Set().Value(serviceKey)
		shared = &sharedResource{
			of: r, service: name.AsString(),
			bytes: resourceBytes + attributesSize(r.Attributes()) + len(r.SchemaURL()),
		}
		m[r] = shared
		more = shared.bytes
	}
	shared.traces++
	return shared, more
}

// drop takes a use back, and returns how many bytes that frees.
func (m resources) drop(r *sharedResource) int {
	r.traces--
	if r.traces > 0 {
		return 0
	}
	delete(m, r.of)
	return r.bytes
}

// fixedBytes is what a store takes beside traces, the IDs of those that were forgotten, and
// spans that are pending.
const fixedBytes = int(unsafe.Sizeof(durations{})) + mostNames*2*longest +
	lastBroadcasts*(int(unsafe.Sizeof(Broadcast{}))+2*longest) +
	mostFree*(traceBytes+freeItems*itemBytes)
