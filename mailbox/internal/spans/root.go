// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package spans

import (
	"context"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/sentinel"
)

// Undecided reports whether a root span may be started for a message that carries h: not
// if its sender is in a trace, sampled or not, or in a handling without one, nor if a
// fan-out skipped it.
func Undecided(h *header.Header) bool {
	return !h.SpanContext().IsValid() && !h.Skipped().IsValid()
}

// decidedHeader is that of a message which carries nothing, because it was
// decided that it shall not.
var decidedHeader = (*header.Header)(nil).WithSpanContext(sentinel.SpanContext())

// WithDecision returns h for a message that is sent from ctx, so that it is not
// [Undecided] if ctx is in a trace or in a handling without one.
func WithDecision(ctx context.Context, h *header.Header) *header.Header {
	if !Undecided(h) || !trace.SpanContextFromContext(ctx).IsValid() {
		return h
	}
	if h == nil {
		return decidedHeader
	}
	return h.WithSpanContext(sentinel.SpanContext())
}
