// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package grpcheaders

import (
	"context"
	"strings"

	estats "google.golang.org/grpc/experimental/stats"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
)

// fields are the keys that W3C Trace Context and Baggage define. RFC 9110,
// section 5.3, says that the values of a repeated field are one list.
var fields = [...]string{"traceparent", "tracestate", "baggage"}

// ServerHandler returns a handler that joins repeated values of traceparent, tracestate
// and baggage in incoming metadata, before next and the service see it. It puts commas
// between them, in their order. So a repeated traceparent becomes malformed, and readers
// take it for absent, as W3C Trace Context demands. All else goes to next as it is.
// ServerHandler panics if next is nil.
//
// If next is a MetricsRecorder of gRPC, so is the handler.
func ServerHandler(next stats.Handler) stats.Handler {
	if next == nil {
		panic("grpcheaders: ServerHandler needs a handler to go in front of")
	}
	joined := handler{next}
	if recorder, ok := next.(estats.MetricsRecorder); ok {
		return recordingHandler{joined, recorder}
	}
	return joined
}

type handler struct{ stats.Handler }

// recordingHandler is a handler that is a MetricsRecorder too, which gRPC looks for.
type recordingHandler struct {
	handler
	estats.MetricsRecorder
}

// TagRPC is where otelgrpc extracts a call's context from its metadata.
func (h handler) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	return h.Handler.TagRPC(join(ctx), info)
}

// join returns ctx with the fields' values joined wherever there are several.
func join(ctx context.Context) context.Context {
	var copied metadata.MD
	for _, key := range fields {
		values := metadata.ValueFromIncomingContext(ctx, key)
		if len(values) < 2 {
			continue
		}
		if copied == nil {
			copied, _ = metadata.FromIncomingContext(ctx)
		}
		copied.Set(key, strings.Join(values, ","))
	}
	if copied == nil {
		return ctx
	}
	return metadata.NewIncomingContext(ctx, copied)
}
