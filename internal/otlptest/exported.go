// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package otlptest

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// Exported returns what the SDK's exporter sends for spans. The resources are in any order.
func Exported(t testing.TB, spans []sdktrace.ReadOnlySpan) []*tracepb.ResourceSpans {
	t.Helper()
	var client captured
	exporter, err := otlptrace.New(t.Context(), &client)
	if err == nil {
		err = exporter.ExportSpans(t.Context(), spans)
	}
	if err != nil {
		t.Fatalf("otlptest: %v", err)
	}
	return client
}

// captured is a client of the exporter that keeps what it should upload.
type captured []*tracepb.ResourceSpans

var _ otlptrace.Client = (*captured)(nil)

func (*captured) Start(context.Context) error { return nil }
func (*captured) Stop(context.Context) error  { return nil }
func (c *captured) UploadTraces(_ context.Context, spans []*tracepb.ResourceSpans) error {
	*c = append(*c, spans...)
	return nil
}
