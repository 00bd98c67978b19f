// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package decode_test

import (
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/waybill-go/waybill/internal/otlpreceive/convert"
	"github.com/waybill-go/waybill/internal/otlpreceive/decode"
)

// FuzzProto decodes and converts anything. What is accepted must come out of its own encoding
// again as it was.
func FuzzProto(f *testing.F) {
	body, err := new(ptrace.ProtoMarshaler).MarshalTraces(sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add(body[:len(body)-1])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, body []byte) {
		traces, err := decode.Proto(body)
		if err != nil {
			return
		}
		again, err := new(ptrace.ProtoMarshaler).MarshalTraces(traces)
		if err != nil {
			t.Fatal(err)
		}
		same, err := decode.Proto(again)
		if err != nil {
			t.Fatalf("what was accepted is refused: %v", err)
		}
		if same.SpanCount() != traces.SpanCount() {
			t.Fatalf("%d spans of %d", same.SpanCount(), traces.SpanCount())
		}
		countsAddUp(t, traces)
	})
}

// FuzzJSON does the same for the other form.
func FuzzJSON(f *testing.F) {
	body, err := new(ptrace.JSONMarshaler).MarshalTraces(sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add([]byte(`{"resourceSpans":[null,{"scopeSpans":[{"spans":[{"flags":-1}]}]}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		traces, err := decode.JSON(body)
		if err != nil {
			return
		}
		countsAddUp(t, traces)
	})
}

// countsAddUp fails if a span is neither there nor rejected.
func countsAddUp(t *testing.T, traces ptrace.Traces) {
	t.Helper()
	result := convert.Spans(traces, time.Time{})
	if got, want := len(result.Spans)+result.Rejected, traces.SpanCount(); got != want {
		t.Fatalf("%d spans of %d", got, want)
	}
	if (result.Reason != nil) != (result.Rejected > 0) {
		t.Fatalf("%d rejected because of %v", result.Rejected, result.Reason)
	}
}
