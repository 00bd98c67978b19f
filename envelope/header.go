// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/header"
)

// Header is what travels beside a message. It never changes once it is made, and any number of
// messages and goroutines may share it. All methods work on a nil Header, which is the header
// of a message that carries nothing.
type Header header.Header

// NewHeader returns what travels with a message that is sent from ctx: the context of a
// sampled trace, all baggage, and the time of sending, which is now. If ctx has neither a
// sampled trace nor baggage, nothing is allocated, and the result is nil or carries nothing:
// see [CarryPolicy.Header]. A [CarryPolicy] takes more or less.
func NewHeader(ctx context.Context) *Header { return CarryPolicy{}.Header(ctx) }

// SpanContext returns the sender's span context. It is not valid if the message carries no
// trace.
func (h *Header) SpanContext() trace.SpanContext { return (*header.Header)(h).SpanContext() }

// Sampled reports whether the message carries a sampled trace.
func (h *Header) Sampled() bool { return (*header.Header)(h).Sampled() }

// Baggage returns the sender's baggage, empty if there was none.
func (h *Header) Baggage() baggage.Baggage { return (*header.Header)(h).Baggage() }

// SentAt returns when a message with a sampled trace was sent, with the monotonic reading of
// the clock. For all other messages it is the zero time. A message that came in by package wire
// has the time of its sender's clock, but no time after it was read.
func (h *Header) SentAt() time.Time { return (*header.Header)(h).SentAt() }

// WithSentAt returns a copy of h that was sent at t. It is for a message that is sent later
// than its header was made. A header without a sampled trace has no time of sending, and is
// returned as it is.
func (h *Header) WithSentAt(t time.Time) *Header {
	return (*Header)((*header.Header)(h).WithSentAt(t))
}
