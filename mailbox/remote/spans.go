// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"context"
	"net"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/guard"
	"github.com/waybill-go/waybill/internal/keys"
)

// startSpan starts the span of a call to another machine.
func (n *Node) startSpan(ctx context.Context, o *outgoing) (context.Context, trace.Span) {
	attrs := []attribute.KeyValue{
		keys.ProcessKind.String(o.kind), keys.MessageType.String(o.message), keys.ProcessID.String(o.subject),
		semconv.MessagingSystemKey.String("nats"), semconv.MessagingDestinationName(o.subject),
		semconv.MessagingOperationName("request"), semconv.MessagingOperationTypeSend,
	}
	if host, port, err := net.SplitHostPort(n.conn.ConnectedAddr()); err == nil {
		attrs = append(attrs, semconv.ServerAddress(host))
		if number, err := strconv.Atoi(port); err == nil {
			attrs = append(attrs, semconv.ServerPort(number))
		}
	}
	attrs = fanout.FromTraceState(trace.SpanContextFromContext(ctx).TraceState()).Attributes(attrs)
	return guard.Start(ctx, n.tracer, "call "+o.kind+" "+o.message,
		trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attrs...))
}
