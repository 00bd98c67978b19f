// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/keys"
)

// maxLinks is how many links the SDK keeps of a span if it is not told
// otherwise.
const maxLinks = 128

var batchLink = []attribute.KeyValue{keys.LinkReason.String("batch")}

// BatchHandler returns a function that handles several messages together: it
// calls handle with them and returns its error. Make it once, before the loop
// that collects the messages.
//
// Around the handling of a batch in which any message has a sampled trace runs
// a span called name, of kind CONSUMER, with a link to the sender's span of
// each such message; one link for those of the same span, and for the first 128
// spans at most. A span has only one parent: it is a child of the first such
// message's sender. Were it a root, as is common for batches, it would begin a
// trace although nobody upstream decided that, and samplers that begin none
// would drop it. Messages of strangers, which the boundary of their reader links
// (package wire), get links too, to their callers' spans; a batch of which no other
// message is traced has a root. Its attributes say how many messages there are
// (waybill.batch.size), how long the one with a sampled trace that was sent
// first has waited (waybill.queue.duration, in seconds), and how many such
// messages were left without a link (waybill.batch.unlinked). What it stands for
// below a fan-out is what its parent's messages do. It ends, and records an error
// or a panic, as that of a [Handler] does.
//
// A batch without a sampled trace is handled without a span, with the
// [Sentinel] in its context, and without an allocation. The context of a batch
// has no baggage: what one sender said must not be taken for what another did.
// For the baggage of a message, and for a span of its own below its sender's,
// open it with [Envelope.Unwrap] or handle it with a [Handler].
//
// The slice is handed to handle as it is and remains the caller's, who may use
// it again when the function has returned; clear it first, so that what the
// messages hold can be freed. The function may be called by any number of
// goroutines at the same time if handle may. The name should have few distinct
// values. BatchHandler panics without a handle.
func BatchHandler[M any](
	ctx context.Context, name string, handle func(context.Context, []Envelope[M]) error, opts ...ReceiveOption,
) func([]Envelope[M]) error {
	if handle == nil {
		panic("envelope: BatchHandler without a handle")
	}
	r := newReceiver(ctx, name, opts)
	handle = recordingErrors(handle)
	return func(batch []Envelope[M]) error {
		var t batchTraces
		for i := range batch {
			t.add(batch[i].header)
		}
		if len(t.links) == 0 {
			return handle(r.base, batch)
		}
		ctx, span := t.start(r, len(batch))
		return within(ctx, span, batch, handle)
	}
}

// batchTraces is what the sampled messages of a batch come to.
type batchTraces struct {
	first    *header.Header
	sentAt   time.Time // the earliest
	links    []trace.Link
	linked   map[spanKey]struct{}
	unlinked int
}

// spanKey tells spans apart.
type spanKey struct {
	traceID trace.TraceID
	spanID  trace.SpanID
}

func (t *batchTraces) add(h *header.Header) {
	if c := h.Caller(); c != nil {
		t.link(c.Link())
		return
	}
	if !h.Sampled() {
		return
	}
	if t.first == nil {
		t.first, t.sentAt = h, h.SentAt()
	}
	if sent := h.SentAt(); sent.Before(t.sentAt) {
		t.sentAt = sent
	}
	t.link(trace.Link{SpanContext: h.SpanContext(), Attributes: batchLink})
}

func (t *batchTraces) link(l trace.Link) {
	if t.linked == nil {
		t.linked = make(map[spanKey]struct{})
	}
	key := spanKey{l.SpanContext.TraceID(), l.SpanContext.SpanID()}
	if _, ok := t.linked[key]; ok {
		return
	}
	if len(t.links) == maxLinks {
		t.unlinked++
		return
	}
	t.linked[key] = struct{}{}
	t.links = append(t.links, l)
}

// start begins the span of a batch of so many messages.
func (t *batchTraces) start(r *receiver, size int) (context.Context, trace.Span) {
	parent := trace.ContextWithSpanContext(r.base, trace.SpanContext{}) // For a root.
	if t.first != nil {
		parent = t.first.WithoutBaggage().Context(r.base)
	}
	attrs := []attribute.KeyValue{keys.BatchSize.Int(size)}
	if t.unlinked > 0 {
		attrs = append(attrs, keys.BatchUnlinked.Int(t.unlinked))
	}
	return r.start(parent, t.sentAt, trace.WithLinks(t.links...), trace.WithAttributes(attrs...))
}
