// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package guard calls what others plug in: samplers, span processors, exporters and
// callbacks. It recovers from their panics and tells OpenTelemetry's error handler. A
// panic costs a span or a callback, and never a message or the program.
package guard

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
)

// reportEvery is the least time between two reports. Something may panic at every
// message, and must not flood the error handler.
const reportEvery = time.Second

var (
	recovered atomic.Uint64
	unsaid    atomic.Uint64 // since the last report
	reported  atomic.Int64  // when that was, as of time.Time.UnixNano
)

// Recovered returns from how many panics this package has recovered.
func Recovered() uint64 { return recovered.Load() }

// Error is a panic of something that was plugged in. The error handler gets it.
type Error struct {
	Value any    // of the panic
	Stack []byte // of the goroutine, where it panicked
	// Unsaid is how many panics before this one were not reported.
	Unsaid uint64
}

// Error returns the value of the panic and its stack as text.
func (e *Error) Error() string {
	more := ""
	if e.Unsaid > 0 {
		more = fmt.Sprintf(" (and %d more since the last report)", e.Unsaid)
	}
	return fmt.Sprintf("waybill: recovered from a panic in what is plugged in%s: %v\n%s", more, e.Value, e.Stack)
}

// Unwrap returns the value of the panic if it was an error.
func (e *Error) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Start starts a span. It returns ctx and a nil span if the tracer panics or makes no
// span.
func Start(
	ctx context.Context, tracer trace.Tracer, name string, opts ...trace.SpanStartOption,
) (next context.Context, span trace.Span) {
	next = ctx
	defer catch()
	if below, started := tracer.Start(ctx, name, opts...); started != nil {
		return below, started
	}
	return next, span
}

// Do calls f, and returns even if f panics.
func Do(f func()) {
	defer catch()
	f()
}

func catch() {
	if value := recover(); value != nil {
		Report(value)
	}
}

// Report counts a panic that the caller has recovered from, and tells the error handler
// its value, unless there was a report within the last second.
func Report(value any) {
	recovered.Add(1)
	now, last := time.Now().UnixNano(), reported.Load()
	if since := now - last; since >= 0 && since < int64(reportEvery) || !reported.CompareAndSwap(last, now) {
		unsaid.Add(1)
		return
	}
	defer func() { _ = recover() }() // The error handler is plugged in as well.
	otel.Handle(&Error{Value: value, Stack: debug.Stack(), Unsaid: unsaid.Swap(0)})
}
