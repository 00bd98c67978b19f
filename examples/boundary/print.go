// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/waybill-go/waybill/examples/internal/record"
	"github.com/waybill-go/waybill/propagate"
)

// compare prints what was sent and what arrived.
func compare(out io.Writer, sent map[string]string, got answer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "  header\tsent to the edge\tarrived at the inner service")
	for _, header := range headers {
		fmt.Fprintf(table, "  %s\t%s\t%s\n", header, orNone(sent[header]), orNone(got[header]))
	}
	return table.Flush()
}

func orNone(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// showTrace prints the trace that the inner service continued, and the links of its
// root.
func showTrace(out io.Writer, recorder *record.Recorder, got answer) error {
	continued, err := propagate.ParseTraceparent(got["traceparent"])
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "  The inner service continued this trace:")
	for _, span := range recorder.Trace(continued.TraceID()).Spans {
		service, _ := span.Resource().Set().Value(semconv.ServiceNameKey)
		parent := "a root"
		if span.Parent().IsValid() {
			parent = "a child of " + span.Parent().SpanID().String()
		}
		fmt.Fprintf(out, "  %s  %-5s  %-12s  %s", span.SpanContext().SpanID(), service.AsString(), span.Name(), parent)
		for _, link := range span.Links() {
			fmt.Fprintf(out, ", linked to %s", link.SpanContext.SpanID())
		}
		fmt.Fprintln(out)
	}
	fmt.Fprintln(out)
	return nil
}
