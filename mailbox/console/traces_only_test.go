// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/mailbox/console"
)

// TestTracesOnly checks that nothing leads to a page of processes where there can be none.
func TestTracesOnly(t *testing.T) {
	for _, only := range []bool{false, true} {
		con := console.New(console.Config{TracesOnly: only})
		_, s := program(t, con, "chat").Start(t.Context(), "guild Post", trace.WithTimestamp(began), trace.WithAttributes(
			attribute.String("waybill.process.kind", "guild"), attribute.String("waybill.process.id", "14")))
		s.End(trace.WithTimestamp(began.Add(time.Second)))

		var of struct {
			Kind string `json:"process_kind"`
			ID   string `json:"process_id"`
		}
		id := s.SpanContext()
		getJSON(t, con, "/api/traces/"+id.TraceID().String()+"/spans/"+id.SpanID().String(), &of)
		if only {
			assert.Empty(t, of)
		} else {
			assert.Equal(t, "guild", of.Kind)
			assert.Equal(t, "14", of.ID)
		}
		assert.Equal(t, "guild 14", draw(t, con, id.TraceID().String()).Spans[0].Process)
		var about struct {
			Features struct {
				TracesOnly bool `json:"traces_only"`
			}
		}
		getJSON(t, con, "/api/about", &about)
		assert.Equal(t, only, about.Features.TracesOnly)
	}
}
