// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package failure writes failed handlings onto spans. The SDK's own recording
// of a panic sets no status and cuts the stack at 2 KiB; this one does neither.
package failure

import (
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Error sets span's status to Error and adds an exception event for err.
// It does not end the span. The options are the event's.
func Error(span trace.Span, err error, opts ...trace.EventOption) {
	message := fmt.Sprint(err) // Unlike err.Error, it survives a nil in err.
	span.SetStatus(codes.Error, message)
	span.AddEvent(semconv.ExceptionEventName, append(opts, trace.WithAttributes(
		semconv.ExceptionType(fmt.Sprintf("%T", err)),
		semconv.ExceptionMessage(message),
	))...)
}

// Panic sets span's status to Error and adds an exception event for the
// recovered value with its whole stack. It does not end the span. The options are
// the event's.
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
