// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package failure writes failed handlings onto spans. The SDK can record a panic too,
// but it sets no status and cuts the stack at 2 KiB.
package failure

import (
	"fmt"
	"runtime/debug"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/guard"
)

// Error sets the span's status to Error and adds an exception event for err with those
// options. It does not end the span.
func Error(span trace.Span, err error, opts ...trace.EventOption) {
	message := fmt.Sprint(err) // Unlike err.Error, it does not panic if err holds a nil pointer.
	span.SetStatus(codes.Error, message)
	span.AddEvent(semconv.ExceptionEventName, append(opts, trace.WithAttributes(
		semconv.ExceptionType(fmt.Sprintf("%T", err)),
		semconv.ExceptionMessage(message),
	))...)
}

// Panic sets the span's status to Error and adds an exception event for the recovered
// value with its whole stack and those options. It does not end the span.
func Panic(span trace.Span, recovered any, stack []byte, opts ...trace.EventOption) {
	message := fmt.Sprint(recovered)
	span.SetStatus(codes.Error, "panic: "+message)
	span.AddEvent(semconv.ExceptionEventName, append(opts, trace.WithAttributes(
		semconv.ExceptionType(fmt.Sprintf("%T", recovered)),
		semconv.ExceptionMessage(message),
		semconv.ExceptionStacktrace(string(stack)),
		attribute.Bool("exception.escaped", true),
	))...)
}

// End ends the span of a handling. It is to be deferred by whoever calls the handler: if that
// panics, End records the panic on the span with its whole stack, and the panic goes on. What
// is plugged in may panic too, which costs no more than the span.
func End(span trace.Span) {
	if recovered := recover(); recovered != nil { // Goexit leaves nothing to recover.
		stack := debug.Stack()
		guard.Do(func() { Panic(span, recovered, stack) })
		defer panic(recovered)
	}
	guard.Do(func() { span.End() })
}
