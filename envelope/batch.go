// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/forced"
	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/keys"
)

// maxLinks is how many links of a span the SDK keeps by default.
const maxLinks = 128

var batchLink = []attribute.KeyValue{keys.LinkReason.String("batch")}

// BatchHandler returns a function that handles several messages together. The function calls
// handle with them and returns its error. Make it once, before the loop that collects the
// messages.
//
// If any message of a batch has a sampled trace, the batch is handled in a span called name, of
// kind CONSUMER. The span has a link to the sender's span of each such message: one link for
// messages of the same span, and links to the first 128 spans at most. Its parent is the span of
// the first such message's sender. Batches often have a root instead. But a root would begin a
// trace that nobody upstream decided on, and samplers that begin no traces would drop it.
//
// If the boundary of a reader of package wire has linked messages to the traces of strangers,
// the span has these links too. If no other message is traced, it is a root.
//
// The attributes of the span say how many messages there are (waybill.batch.size), how long the
// first sent message with a sampled trace has waited (waybill.queue.duration, in seconds), and
// how many such messages have no link (waybill.batch.unlinked). Below a fan-out the span stands
// for as many as the messages of its parent. It ends, and records an error or a panic, as that of
// a [Handler] does.
//
// A batch without a sampled trace is handled without a span, with the [Sentinel] in its context,
// and without an allocation. The context of a batch has no baggage, because what one sender said
// must not be taken for what another said. For the baggage of a message, and for a span of its
// own below its sender's, open it with [Envelope.Unwrap] or handle it with a [Handler].
//
// The slice is passed to handle as it is. It remains the caller's, who may use it again when the
// function has returned. Clear it first, so that what the messages hold can be freed. Any number
// of goroutines may call the function at the same time, if they may call handle. The name should
// have few distinct values. BatchHandler panics if handle is nil.
func BatchHandler[M any](
	ctx context.Context, name string, handle func(context.Context, []Envelope[M]) error, opts ...ReceiveOption,
) func([]Envelope[M]) error {
	if handle == nil {
		panic("envelope: BatchHandler without a handle")
	}
	r := newReceiver(ctx, name, opts)
	handle = recordingErrors(handle)
	if r.totals != nil {
		return func(batch []Envelope[M]) error { return handleMeasured(r, batch, handle) }
	}
	return func(batch []Envelope[M]) error { return handleBatch(r, batch, handle) }
}

// handleBatch calls handle with the messages, in a span if any of them has a sampled trace.
func handleBatch[M any](
	r *receiver, batch []Envelope[M], handle func(context.Context, []Envelope[M]) error,
) error {
	var t batchTraces
	bare, undecided := true, true
	for i := range batch {
		h := batch[i].header
		if h == nil {
			continue // As most are.
		}
		t.add(h)
		bare = false
		undecided = undecided && h.Undecided()
	}
	switch {
	case len(t.links) > 0:
	case bare && r.own != nil:
		return handle(r.own, batch)
	case r.roots && undecided:
	default:
		return handle(r.base, batch)
	}
	ctx, span := t.start(r, len(batch))
	return within(ctx, r, span, nil, batch, handle)
}

// batchTraces collects the traces of a batch.
type batchTraces struct {
	first    *header.Header
	sent     sending // the earliest
	links    []trace.Link
	linked   map[spanKey]struct{}
	unlinked int
}

// spanKey identifies a span.
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
		t.first, t.sent = h, sentAs(h)
	}
	if sent := sentAs(h); sent.at.Before(t.sent.at) {
		t.sent = sent
	}
	if h.Linked() {
		t.link(forced.FanoutLink(h.SpanContext()))
		return
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

// start begins the span of a batch of size messages.
func (t *batchTraces) start(r *receiver, size int) (context.Context, trace.Span) {
	parent := withoutParent(r.base)
	if t.first != nil {
		parent = t.first.WithoutBaggage().Context(r.base)
		if t.first.Linked() {
			parent = forced.NextTrace(parent, t.first.SpanContext())
		}
	}
	attrs := []attribute.KeyValue{keys.BatchSize.Int(size)}
	if t.unlinked > 0 {
		attrs = append(attrs, keys.BatchUnlinked.Int(t.unlinked))
	}
	return r.start(parent, t.sent, trace.WithLinks(t.links...), trace.WithAttributes(attrs...))
}
