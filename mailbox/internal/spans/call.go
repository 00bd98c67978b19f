// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package spans

import (
	"context"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/guard"
)

// StartCall starts the span of a call with m. ctx is the caller's context, which must be
// in a sampled trace.
func (m *Message) StartCall(ctx context.Context) (context.Context, trace.Span) {
	names := m.Kind.namesOf(m.Type)
	return guard.Start(ctx, m.Kind.tracer.tracer, names.calling,
		trace.WithAttributes(m.attributes(names, fanoutOf(trace.SpanContextFromContext(ctx)))...))
}

// LateReply stands in the trace of a call for an answer that nobody waited for any
// more, from the call until now.
func (m *Message) LateReply() {
	if m.Header.Sampled() {
		m.fromSending(m.Kind.namesOf(m.Type).replying, lateReply, internalKind)
	}
}
