// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package otlpreceive takes traces over OTLP, by gRPC and by HTTP, and gives them on as spans of
// OpenTelemetry's SDK:
//
//	receiver := otlpreceive.New(func(spans []sdktrace.ReadOnlySpan) { ... }, func(line string) { ... })
//	server := receiver.GRPC()  // Serve it on a listener, and stop it.
//	handler := receiver.HTTP() // Serve it with an [http.Server] that has time-outs.
//
// Whoever sends is not trusted. A few requests are read at a time, one is decoded at a time,
// and their size is bounded. Pages of a browser cannot send anything. Metrics and logs are
// accepted and thrown away, so that services that export them do not log errors. How many
// connections there are is up to the listener.
//
// Where the spans go is up to the function: a console or another span processor takes them in
// OnEnd, and a [github.com/waybill-go/waybill/internal/traces.Store] in Add.
package otlpreceive

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/internal/otlpreceive/convert"
)

// Limits of requests.
const (
	MaxRequest = 8 << 20          // bytes of a request, also once decompressed
	MaxReading = 8                // requests that are read or decoded at a time
	maxWait    = 5 * time.Second  // for one of these to be done
	maxArrival = 10 * time.Second // for a request to arrive
)

// Errors of requests that are refused.
var (
	errBusy     = errors.New("too many requests at a time")
	errTooLong  = errors.New("the request is longer than 8 MiB")
	errTimeout  = errors.New("the request took too long to arrive")
	errProtocol = errors.New("the request cannot be read")
)

// Receiver takes spans from exporters. Make one with [New]. Any number of servers may use it.
type Receiver struct {
	take       func([]sdktrace.ReadOnlySpan)
	reading    chan struct{} // a place for each request that is read
	decoding   chan struct{} // a place for the one that is decoded
	maxWait    time.Duration
	maxArrival time.Duration
	counts     counts
	notices    notices
}

type counts struct{ spans, mended, rejected, refused, metrics, logs, profiles atomic.Int64 }

// Counts says what a [Receiver] has got so far.
type Counts struct {
	Spans    int64 // that were taken
	Mended   int64 // that had to be put right, of those
	Rejected int64 // spans that cannot be shown
	Refused  int64 // requests that were refused as a whole

	// Requests that were accepted and thrown away.
	Metrics, Logs, Profiles int64
}

// New returns a receiver that gives the spans of each request to take. It calls take from many
// goroutines, but from one at a time. The slice and the spans belong to take.
//
// It calls notice, from any goroutine, with one line for each thing that the user may
// wonder about, when it happens for the first time. The line is harmless on a terminal.
func New(take func([]sdktrace.ReadOnlySpan), notice func(string)) *Receiver {
	return &Receiver{
		take: take, reading: make(chan struct{}, MaxReading), decoding: make(chan struct{}, 1),
		maxWait: maxWait, maxArrival: maxArrival, notices: notices{say: notice},
	}
}

// Counts returns the counts so far.
func (r *Receiver) Counts() Counts {
	return Counts{
		Spans: r.counts.spans.Load(), Mended: r.counts.mended.Load(),
		Rejected: r.counts.rejected.Load(), Refused: r.counts.refused.Load(),
		Metrics: r.counts.metrics.Load(), Logs: r.counts.logs.Load(), Profiles: r.counts.profiles.Load(),
	}
}

// admit waits until a request may be read. The caller calls done when it has been dealt with.
func (r *Receiver) admit(ctx context.Context) (done func(), err error) {
	timer := time.NewTimer(r.maxWait)
	defer timer.Stop()
	select {
	case r.reading <- struct{}{}:
		return func() { <-r.reading }, nil
	case <-timer.C:
		return nil, errBusy
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// export decodes body, gives its spans to the receiver's function, and returns the answer.
func (r *Receiver) export(body []byte, decode func([]byte) (ptrace.Traces, error)) (ptraceotlp.ExportResponse, error) {
	r.decoding <- struct{}{}
	defer func() { <-r.decoding }()
	answer := ptraceotlp.NewExportResponse()
	result, err := spans(body, decode)
	if err != nil {
		return answer, err
	}
	r.counts.spans.Add(int64(len(result.Spans)))
	r.counts.mended.Add(int64(result.Mended))
	r.counts.rejected.Add(int64(result.Rejected))
	if result.Mended > 0 {
		r.notices.tell(&r.notices.mended, "A span was put right: a text was too long or no UTF-8, or the span ended before its start.")
	}
	if result.Rejected > 0 {
		r.notices.tell(&r.notices.rejected, "A span was rejected: %v.", result.Reason)
		answer.PartialSuccess().SetRejectedSpans(int64(result.Rejected))
		answer.PartialSuccess().SetErrorMessage("of the first rejected span, " + result.Reason.Error())
	}
	if len(result.Spans) > 0 {
		r.take(result.Spans)
	}
	return answer, nil
}

// spans decodes and converts body. If a library cannot cope with it and panics, that costs this
// request only.
func spans(body []byte, decode func([]byte) (ptrace.Traces, error)) (result convert.Result, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("%w: %v", errProtocol, reason)
		}
	}()
	traces, err := decode(body)
	if err != nil {
		return convert.Result{}, err
	}
	return convert.Spans(traces, time.Now()), nil
}
