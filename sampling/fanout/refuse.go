// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package fanout

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/clock"
	standing "github.com/waybill-go/waybill/internal/fanout" // What a recipient stands for.
	"github.com/waybill-go/waybill/internal/guard"
	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/planning"
	"github.com/waybill-go/waybill/internal/sentinel"
	"github.com/waybill-go/waybill/internal/threshold"
	"github.com/waybill-go/waybill/sampling"
)

// Reason says why a recipient has not taken or not handled a message.
type Reason string

// The usual reasons. A program may have others; there should be few.
const (
	Full      Reason = "full"      // There was no room.
	Stopped   Reason = "stopped"   // The recipient takes no more.
	Cancelled Reason = "cancelled" // The sender's context ended first.
	Dropped   Reason = "dropped"   // A newer message took its place.
)

// Drop says that a message with header h, which may be nil, was taken by its recipient and
// will never be handled: because it was dropped to make room, or because the recipient has
// ended and left it in its channel. If the message is traced, a late span in its trace says
// so. If not, there may be one that counts for nobody ([WithRecipientKind]). Any number of
// goroutines may call Drop.
func (f *Fanout) Drop(h *envelope.Header, reason Reason) {
	f.counts.dropped.Add(1)
	dropped := (*header.Header)(h)
	if dropped.Sampled() {
		f.lateSampled(dropped, "dead_letter_"+string(reason))
		return
	}
	if kind := f.kind.Load(); kind.Late.Failures {
		sc := dropped.Skipped()
		if !sc.IsValid() {
			sc = dropped.SpanContext()
		}
		f.lateUncounted(context.Background(), sc, kind, "dead_letter_"+string(reason))
	}
}

// refuse leaves the late span of the recipient that b was last asked for, if there is to be
// one.
func (f *Fanout) refuse(b *Broadcast, reason Reason) {
	if b.isSampled() {
		f.lateSampled((*header.Header)(b.last), "refused_"+string(reason))
		return
	}
	if kind := f.kind.Load(); kind.Late.Failures {
		f.lateUncounted(b.ctx, trace.SpanContextFromContext(b.ctx), kind, "refused_"+string(reason))
	}
}

// lateUncounted leaves a late span that counts for nobody: in the trace of sc if that is
// sampled, and else in one of its own, if the settings of the kind want that. ctx may have
// baggage.
func (f *Fanout) lateUncounted(ctx context.Context, sc trace.SpanContext, kind *sampling.KindConfig, reason string) {
	late := &kind.Late
	if kind.Untraced {
		sc = trace.SpanContext{}
	}
	if !sc.IsSampled() && !late.Roots {
		return
	}
	if !f.late.Allow(clock.Now(), planning.LatePerSecond(late)) {
		f.counts.lateShed.Add(1)
		return
	}
	attrs := standing.AppendWeight([]attribute.KeyValue{keys.LateReason.String(reason)}, 0)
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(attrs...)}
	if sc.IsSampled() {
		ctx = trace.ContextWithSpanContext(ctx, sc.WithTraceState(threshold.Clear(sc.TraceState())))
	} else {
		if sc.IsValid() && !sentinel.Is(sc) {
			options = append(options, trace.WithLinks(trace.Link{SpanContext: sc}))
		}
		ctx = trace.ContextWithSpanContext(ctx, trace.SpanContext{})
	}
	_, span := guard.Start(sampling.Force(ctx), f.tracer, "deliver "+f.name, options...)
	f.endLate(span, reason)
}

// lateSampled leaves the late span of a sampled message with header h: from its sending until
// now.
func (f *Fanout) lateSampled(h *header.Header, reason string) {
	waited := time.Since(h.SentAt())
	ctx := h.Context(header.Untraced(context.Background()))
	sc := h.SpanContext()
	attrs := standing.FromTraceState(sc.TraceState()).Attributes([]attribute.KeyValue{
		keys.LateReason.String(reason), keys.QueueDuration.Float64(max(waited, 0).Seconds()),
	})
	_, span := guard.Start(ctx, f.tracer, "deliver "+f.name, trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithTimestamp(h.SentAt()), trace.WithAttributes(attrs...))
	f.endLate(span, reason)
}

func (f *Fanout) endLate(span trace.Span, reason string) {
	if span == nil {
		return
	}
	f.counts.late.Add(1)
	guard.Do(func() {
		span.SetStatus(codes.Error, reason)
		span.End()
	})
}
