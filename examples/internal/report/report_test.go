// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package report_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/examples/internal/report"
)

// fanout is a trace of a broadcast with n chosen recipients out of 1,000.
func fanout(n int) report.Trace {
	t := report.Trace{TraceID: "0af7651916cd43dd8448eb211c80319c", Spans: []report.Span{{
		Service: "guild", Name: "broadcast sessions", SpanID: "1", StartUnixNano: 1_000, DurationNS: 4_000_000,
		Attributes: map[string]any{"waybill.fanout.size": int64(1000), "waybill.fanout.sampled": int64(n)},
	}}}
	for i := range n {
		t.Spans = append(t.Spans, report.Span{
			Service: "session", Name: "session MessageCreate", SpanID: fmt.Sprint(10 + i), ParentID: "1",
			StartUnixNano: int64(1_000 + i*1_000_000), DurationNS: int64(100 * (i + 1)),
			Attributes: map[string]any{
				"waybill.fanout.weight": 1000 / float64(n), "waybill.queue.duration": float64(i) / 1000,
			},
		})
	}
	return t
}

func TestFanouts(t *testing.T) {
	spans := tracetest.SpanStubs{
		{Name: "broadcast sessions", Attributes: []attribute.KeyValue{attribute.Key("waybill.fanout.size").Int64(1000), attribute.Key("waybill.fanout.sampled").Int64(10)}},
		{Name: "broadcast sessions", Attributes: []attribute.KeyValue{attribute.Key("waybill.fanout.size").Int64(1000), attribute.Key("waybill.fanout.sampled").Int64(9)}},
	}
	for range 19 {
		spans = append(spans, tracetest.SpanStub{Name: "session MessageCreate", Attributes: []attribute.KeyValue{attribute.Key("waybill.fanout.size").Int64(1000)}})
	}
	sums := report.NewSums("session", 1)
	for _, span := range spans.Snapshots() {
		sums.OnEnd(span)
	}
	f := sums.Finish().Fanouts
	assert.Equal(t, report.Fanouts{Broadcasts: 2, Recipients: 2000, Traced: 19, Spans: 21}, f)
	assert.EqualValues(t, 2002, f.Naive(), "two broadcasts and a span for every recipient")
	assert.Contains(t, f.String(), "2 traced broadcasts to 2000 recipients, of which 19 (0.95 %)")

	sums.OnEnd(spans.Snapshots()[0])
	assert.Zero(t, sums.Finish(), "it has let go")
	assert.Contains(t, report.Fanouts{}.String(), "no traced broadcast")
}
