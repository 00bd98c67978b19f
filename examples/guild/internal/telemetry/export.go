// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Exports counts what became of the spans that were to be exported.
type Exports struct {
	Exported int64 `json:"exported"`
	Failed   int64 `json:"failed"`  // in a batch that the collector did not take, or not whole
	Dropped  int64 `json:"dropped"` // since it took others too slowly, and the queue was full
	Waiting  int64 `json:"waiting"` // still; at the end, lost
}

// Plus returns the sum of both.
func (e Exports) Plus(o Exports) Exports {
	return Exports{e.Exported + o.Exported, e.Failed + o.Failed, e.Dropped + o.Dropped, e.Waiting + o.Waiting}
}

// String says it in a line.
func (e Exports) String() string {
	parts := []string{fmt.Sprintf("%d spans exported", e.Exported)}
	for _, lost := range []struct {
		n   int64
		how string
	}{
		{e.Dropped, "dropped since the queue was full"}, {e.Failed, "failed"}, {e.Waiting, "not sent in time"},
	} {
		if lost.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", lost.n, lost.how))
		}
	}
	return strings.Join(parts, ", ")
}

// exports is where they are counted.
type exports struct {
	exported, failed, dropped, waiting atomic.Int64

	onDrop func() // called for every span that is dropped
}

func (e *exports) read() Exports {
	return Exports{e.exported.Load(), e.failed.Load(), e.dropped.Load(), e.waiting.Load()}
}

// batcher returns a processor that exports spans in batches, like the SDK's own. That
// one drops spans when its queue is full, and tells nobody. So they are counted in
// front of it, and as many are let in as it has room for.
func (e *exports) batcher(
	exporter sdktrace.SpanExporter, more ...sdktrace.BatchSpanProcessorOption,
) sdktrace.SpanProcessor {
	q := &queue{exports: e, room: queueSize()}
	q.SpanProcessor = sdktrace.NewBatchSpanProcessor(&counted{exporter, q},
		append(more, sdktrace.WithMaxQueueSize(int(q.room)))...)
	return q
}

// queueSize returns what the SDK would take.
func queueSize() int64 {
	if n, err := strconv.Atoi(os.Getenv("OTEL_BSP_MAX_QUEUE_SIZE")); err == nil && n > 0 {
		return int64(n)
	}
	return sdktrace.DefaultMaxQueueSize
}

// queue is the way into a batch processor.
type queue struct {
	sdktrace.SpanProcessor

	exports *exports
	room    int64
	inside  atomic.Int64 // spans
}

// OnEnd implements sdktrace.SpanProcessor.
func (q *queue) OnEnd(s sdktrace.ReadOnlySpan) {
	if !s.SpanContext().IsSampled() {
		return
	}
	if q.inside.Add(1) > q.room {
		q.inside.Add(-1)
		q.exports.dropped.Add(1)
		q.exports.onDrop()
		return
	}
	q.exports.waiting.Add(1)
	q.SpanProcessor.OnEnd(s)
}

// counted is an exporter whose spans have come through queue.
type counted struct {
	sdktrace.SpanExporter

	queue *queue
}

// ExportSpans implements sdktrace.SpanExporter. Its error is an *exportError.
func (c *counted) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := c.SpanExporter.ExportSpans(ctx, spans)
	n := int64(len(spans))
	c.queue.inside.Add(-n)
	c.queue.exports.waiting.Add(-n)
	if err != nil {
		c.queue.exports.failed.Add(n)
		return &exportError{err}
	}
	c.queue.exports.exported.Add(n)
	return nil
}

// exportError means that spans were not exported. The SDK hands it to the error
// handler among all others.
type exportError struct{ cause error }

func (e *exportError) Error() string { return "spans are not exported: " + e.cause.Error() }

func (e *exportError) Unwrap() error { return e.cause }
