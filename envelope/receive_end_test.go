// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope_test

import (
	"errors"
	"iter"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/envelope"
)

// twoTraced returns a recorder, and a loop over two sampled messages.
func twoTraced(t *testing.T) (*tracetest.SpanRecorder, func(body func() bool)) {
	t.Helper()
	provider, recorder := newProvider(t)
	ch := filled(t, sampledContext(t), order{1}, order{2})
	return recorder, func(body func() bool) {
		for range envelope.Receive(t.Context(), ch, "r", envelope.WithTracerProvider(provider)) {
			if !body() {
				break
			}
		}
	}
}

func TestReceiveEndsTheSpanWithTheBody(t *testing.T) {
	t.Run("continue", func(t *testing.T) {
		recorder, loop := twoTraced(t)
		n := 0
		loop(func() bool {
			assert.Len(t, recorder.Ended(), n, "the span of this body is open, all before it have ended")
			n++
			assert.Len(t, recorder.Started(), n)
			return true
		})
		assert.Len(t, recorder.Ended(), 2)
	})
	t.Run("break", func(t *testing.T) {
		recorder, loop := twoTraced(t)
		loop(func() bool { return false })
		requireEndedWell(t, recorder)
	})
	t.Run("return", func(t *testing.T) {
		provider, recorder := newProvider(t)
		ch := filled(t, sampledContext(t), order{1}, order{2})
		id := func() int {
			for _, m := range envelope.Receive(t.Context(), ch, "r", envelope.WithTracerProvider(provider)) {
				return m.ID
			}
			return 0
		}()
		assert.Equal(t, 1, id)
		requireEndedWell(t, recorder)
	})
	t.Run("pulled and stopped", func(t *testing.T) {
		provider, recorder := newProvider(t)
		ch := filled(t, sampledContext(t), order{1}, order{2})
		next, stop := iter.Pull2(envelope.Receive(t.Context(), ch, "r", envelope.WithTracerProvider(provider)))
		_, m, ok := next()
		assert.True(t, ok)
		assert.Equal(t, order{1}, m)
		assert.Empty(t, recorder.Ended())
		stop()
		requireEndedWell(t, recorder)
	})
	t.Run("Goexit", func(t *testing.T) {
		recorder, loop := twoTraced(t)
		done := make(chan bool)
		go func() {
			returned := false
			defer func() { done <- returned }()
			loop(func() bool { runtime.Goexit(); return true })
			returned = true
		}()
		assert.False(t, <-done, "the goroutine ends")
		requireEndedWell(t, recorder)
	})
}

// requireEndedWell requires that the span of the first of two messages ended,
// without an error, and that there was no second.
func requireEndedWell(t *testing.T, recorder *tracetest.SpanRecorder) {
	t.Helper()
	require.Len(t, recorder.Started(), 1)
	require.Len(t, recorder.Ended(), 1)
	assert.Equal(t, codes.Unset, recorder.Ended()[0].Status().Code)
	assert.Empty(t, recorder.Ended()[0].Events())
}

// panicAfter panics below depth frames of its own.
//
//go:noinline
func panicAfter(depth int, value any) {
	if depth > 0 {
		panicAfter(depth-1, value)
		return
	}
	theCulprit(value)
}

//go:noinline
func theCulprit(value any) { panic(value) }

func catch(f func()) (recovered any) {
	defer func() { recovered = recover() }()
	f()
	return nil
}

func exception(t *testing.T, s sdktrace.ReadOnlySpan) map[attribute.Key]attribute.Value {
	t.Helper()
	require.Len(t, s.Events(), 1)
	assert.Equal(t, "exception", s.Events()[0].Name)
	attrs := map[attribute.Key]attribute.Value{}
	for _, kv := range s.Events()[0].Attributes {
		attrs[kv.Key] = kv.Value
	}
	return attrs
}

func TestReceiveRecordsAPanicAndLetsItGoOn(t *testing.T) {
	recorder, loop := twoTraced(t)
	value := &struct{ error }{errors.New("out of stock")}

	recovered := catch(func() {
		loop(func() bool { panicAfter(40, value); return true })
	})

	assert.Same(t, value, recovered, "the same value, not one like it")
	require.Len(t, recorder.Started(), 1)
	require.Len(t, recorder.Ended(), 1)
	s := recorder.Ended()[0]
	assert.Equal(t, codes.Error, s.Status().Code)
	assert.Equal(t, "panic: out of stock", s.Status().Description)
	attrs := exception(t, s)
	assert.Equal(t, "out of stock", attrs["exception.message"].AsString())
	assert.Equal(t, "*struct { error }", attrs["exception.type"].AsString())
	assert.True(t, attrs["exception.escaped"].AsBool())
	stack := attrs["exception.stacktrace"].AsString()
	require.Greater(t, len(stack), 2048, "otherwise this test shows nothing")
	assert.Contains(t, stack, "envelope_test.theCulprit", "the function that panicked")
	assert.Equal(t, 41, strings.Count(stack, "envelope_test.panicAfter("), "every frame between")
	assert.Contains(t, stack, "TestReceiveRecordsAPanicAndLetsItGoOn", "the outermost of the loop's callers")
}

// TestReceiveRecordsAVeryDeepPanic: the runtime itself leaves out the middle
// of a stack of more than 100 frames; both ends must be there.
func TestReceiveRecordsAVeryDeepPanic(t *testing.T) {
	recorder, loop := twoTraced(t)
	require.Equal(t, "deep", catch(func() {
		loop(func() bool { panicAfter(5000, "deep"); return true })
	}))
	stack := exception(t, recorder.Ended()[0])["exception.stacktrace"].AsString()
	assert.Contains(t, stack, "envelope_test.theCulprit")
	assert.Contains(t, stack, "TestReceiveRecordsAVeryDeepPanic")
}

func TestReceiveRecordsPanicsOfTheRuntime(t *testing.T) {
	for name, test := range map[string]struct {
		body func()
		want string
	}{
		"index": {func() { _ = t.Name()[len(t.Name())] }, "index out of range"},
		"nil":   {func() { panic(nil) }, "PanicNilError"}, //nolint:govet // That is the case.
	} {
		t.Run(name, func(t *testing.T) {
			recorder, loop := twoTraced(t)
			recovered := catch(func() { loop(func() bool { test.body(); return true }) })
			var err runtime.Error
			require.ErrorAs(t, recovered.(error), &err)
			s := recorder.Ended()[0]
			assert.Equal(t, codes.Error, s.Status().Code)
			assert.Contains(t, exception(t, s)["exception.type"].AsString()+" "+s.Status().Description, test.want)
		})
	}
}

func TestReceiveLetsAnUntracedPanicGoOn(t *testing.T) {
	provider, recorder := newProvider(t)
	ch := filled(t, t.Context(), order{1}, order{2})
	value := new(int)
	assert.Same(t, value, catch(func() {
		for range envelope.Receive(t.Context(), ch, "r", envelope.WithTracerProvider(provider)) {
			panic(value)
		}
	}))
	assert.Empty(t, recorder.Started())
	assert.Len(t, ch, 1)
}
