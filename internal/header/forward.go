// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package header

import (
	"context"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/owner"
)

// Forward returns the header with which a handler hands the message on that it handles with
// ctx, as a process does that stands for one on another machine. If the message is traced,
// that is the header it came with: handing on is no hop, and the time that the message has
// waited counts as part of its way. If ctx is in another span, it is a header from there. If
// nothing travels, it is nil.
func Forward(ctx context.Context) *Header {
	if _, bare := ctx.(owner.Named); bare {
		return nil // A handler's context to which no message has added anything.
	}
	if h, ok := ctx.Value(chainKey{}).(*Header); ok && h.spanContext.Equal(trace.SpanContextFromContext(ctx)) {
		return h
	}
	return CarryPolicy{Unsampled: true}.Header(ctx)
}
