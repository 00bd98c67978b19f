// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package forced

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/keys"
)

// NextTrace returns ctx for the root of the trace that goes on from that of sc. The root
// should have a link to sc.
func NextTrace(ctx context.Context, sc trace.SpanContext) context.Context {
	return With(trace.ContextWithSpanContext(ctx, fanout.NextTrace(sc)))
}

var fanoutLink = []attribute.KeyValue{keys.LinkReason.String("fanout")}

// FanoutLink is the link from the root of a recipient that starts a trace of its own to the
// fan-out, whose span is sc.
func FanoutLink(sc trace.SpanContext) trace.Link {
	return trace.Link{SpanContext: sc, Attributes: fanoutLink}
}
