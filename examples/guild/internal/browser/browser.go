// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package browser records the spans of those who have no telemetry of their own: of
// pages, which say how long something took.
package browser

import (
	"context"
	"crypto/rand"
	"errors"
	"math"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Service is the name of the service whose spans they are.
const Service = "browser"

// Bounds of what a page may say.
const (
	maxTime = time.Minute      // that a span may take
	maxLead = 10 * time.Second // by which it may begin before we hear of it
)

// ErrTimes means that a span cannot have been as the page says.
var ErrTimes = errors.New("the span cannot have taken that long")

// Claim is what a page says of a span: the only two numbers of its own that are
// recorded, within bounds.
type Claim struct {
	StartMS    float64 // milliseconds since 1970, by the browser's clock
	DurationMS float64
}

// Span is what we know of the span ourselves.
type Span struct {
	Context trace.SpanContext // that the page's frame had
	Heard   time.Time         // when that frame came
}

// Recorder records the spans of pages. Any number of goroutines may use it.
type Recorder struct{ tracer trace.Tracer }

// New returns a recorder. Its spans are made by provider, which must have [IDs].
func New(provider trace.TracerProvider) *Recorder {
	return &Recorder{provider.Tracer("github.com/waybill-go/waybill/examples/guild/browser")}
}

// Record records a span that has ended by now as the first one of its trace, or
// returns [ErrTimes].
func (r *Recorder) Record(s Span, c Claim, now time.Time) error {
	start, end, err := c.times(s.Heard, now)
	if err != nil {
		return err
	}
	_, span := r.tracer.Start(context.WithValue(context.Background(), idsKey{}, s.Context), "send post",
		trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(start))
	span.End(trace.WithTimestamp(end))
	return nil
}

// times returns when the span was, by our clock. The page heard of the end of its span
// before now, and began it before we heard of it. A start that does not fit into that is
// of another clock, and the span is put where it fits.
func (c Claim) times(heard, now time.Time) (start, end time.Time, err error) {
	const longest = float64(maxTime / time.Millisecond)
	if !(c.DurationMS >= 0 && c.DurationMS <= longest) || c.DurationMS > ms(now.Sub(heard)+maxLead) {
		return start, end, ErrTimes
	}
	took := time.Duration(c.DurationMS * float64(time.Millisecond))
	latest := now.Add(-took)
	if latest.After(heard) {
		latest = heard
	}
	start = latest
	if c.StartMS > 0 && c.StartMS < math.MaxInt64/float64(time.Millisecond) {
		told := time.Unix(0, int64(c.StartMS*float64(time.Millisecond)))
		if !told.After(latest) && !told.Before(heard.Add(-maxLead)) {
			start = told
		}
	}
	return start, start.Add(took), nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// IDs returns what makes a provider give spans the IDs that their pages have chosen.
func IDs() sdktrace.IDGenerator { return ids{} }

type (
	ids    struct{}
	idsKey struct{}
)

// NewIDs implements sdktrace.IDGenerator.
func (ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if sc, ok := ctx.Value(idsKey{}).(trace.SpanContext); ok {
		return sc.TraceID(), sc.SpanID()
	}
	var traceID trace.TraceID
	_, _ = rand.Read(traceID[:]) // It never fails.
	return traceID, ids{}.NewSpanID(ctx, traceID)
}

// NewSpanID implements sdktrace.IDGenerator.
func (ids) NewSpanID(context.Context, trace.TraceID) (spanID trace.SpanID) {
	_, _ = rand.Read(spanID[:]) // It never fails.
	return spanID
}
