// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package spans

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/caller"
	"github.com/waybill-go/waybill/internal/failure"
	"github.com/waybill-go/waybill/internal/forced"
	"github.com/waybill-go/waybill/internal/guard"
	"github.com/waybill-go/waybill/internal/keys"
)

var (
	restartLink = []attribute.KeyValue{keys.LinkReason.String("restart")}
	chainLink   = []attribute.KeyValue{keys.LinkReason.String("chain")}
)

// StartHandling starts the span of handling m below whatever ctx holds, with a link to
// failed if that is valid: the handling before a restart. A message without a sampled
// trace gets a root span, with a link to the caller's if a boundary has linked the message.
func (m *Message) StartHandling(ctx context.Context, failed trace.SpanContext) (context.Context, trace.Span) {
	now, sc := time.Now(), m.Header.SpanContext()
	t, names := m.Kind.tracer, m.Kind.namesOf(m.Type)
	f := t.fanouts.of(m.Header, sc)
	attrs, options := roomForHandling(f.Depth > 0)
	attrs = m.describe(attrs, names, f)
	options = append(options, m.spanKind(), trace.WithTimestamp(now))
	var linked *caller.Caller
	if m.Header.Caller() != nil {
		linked = caller.Of(ctx)
	}
	switch {
	case m.Header.Sampled():
		attrs = append(attrs, keys.QueueDuration.Float64(now.Sub(m.Header.SentAt()).Seconds()))
	case linked != nil:
		ctx, options = caller.With(ctx, nil), linked.Options(options) // The provider of a boundary would add the link again.
	default:
		options = append(options, trace.WithNewRoot())
	}
	cut := false
	switch {
	case m.Header.Linked():
		ctx = forced.NextTrace(ctx, sc)
		options = append(options, trace.WithLinks(forced.FanoutLink(sc)))
	case t.limit.exceeded(m.Header):
		cut = true
		ctx = forced.NextTrace(ctx, sc)
		options = append(options, trace.WithLinks(trace.Link{SpanContext: sc, Attributes: chainLink}))
	}
	if failed.IsValid() {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: failed, Attributes: restartLink}))
	}
	options = append(options, trace.WithAttributes(attrs...))
	ctx, span := guard.Start(ctx, t.tracer, names.handling, options...)
	m.Kind.totals.countTraced(span, cut)
	if linked != nil {
		ctx = caller.With(ctx, linked)
	}
	return ctx, span
}

// roomForHandling returns room for what most handlings' spans are started with, in one
// allocation.
func roomForHandling(sampled bool) ([]attribute.KeyValue, []trace.SpanStartOption) {
	if sampled {
		r := new(struct {
			attrs   [9]attribute.KeyValue
			options [3]trace.SpanStartOption
		})
		return r.attrs[:0], r.options[:0]
	}
	r := new(struct {
		attrs   [4]attribute.KeyValue
		options [3]trace.SpanStartOption
	})
	return r.attrs[:0], r.options[:0]
}

// Failure is what went wrong. The zero Failure is that of what went well.
type Failure struct {
	Err error
	// Panicked says that the handler panicked, or ended its goroutine.
	Panicked bool
	// Value and Stack are of the handler's own panic. Stack is nil if there was none.
	Value any
	Stack []byte
}

// record writes f onto span, if there is anything. The stack of a panic is on the span
// of the handler that panicked, and on no other.
func (f *Failure) record(span trace.Span, opts ...trace.EventOption) {
	switch {
	case f.Stack != nil:
		failure.Panic(span, f.Value, f.Stack, opts...)
	case f.Err != nil:
		failure.Error(span, f.Err, opts...)
	}
}

// End ends span, after it has written f onto it.
func (f *Failure) End(span trace.Span) {
	if f.Err != nil {
		guard.Do(func() { f.record(span) })
	}
	guard.Do(func() { span.End() })
}
