// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package otlpreceive_test

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/waybill-go/waybill/internal/otlpreceive"
)

// TestEachThingIsToldOnce sends everything that users are told of, several times.
func TestEachThingIsToldOnce(t *testing.T) {
	var mu sync.Mutex
	var told []string
	r := otlpreceive.New(func([]sdkSpan) {}, func(line string) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, line)
	})
	url := serveHTTP(t, r).URL
	mended, rejected := oneSpan("mended"), ptrace.NewTraces()
	mended.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).SetEndTimestamp(1)
	rejected.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	for range 3 {
		post(t, url+"/v1/metrics", strings.NewReader(""), "Content-Type", typeProto)
		post(t, url+"/v1/logs", strings.NewReader("{}"), "Content-Type", typeJSON)
		post(t, url+"/v1development/profiles", strings.NewReader("{}"), "Content-Type", typeJSON)
		post(t, url+"/v1/traces", bytes.NewReader(asProto(t, mended)), "Content-Type", typeProto)
		post(t, url+"/v1/traces", bytes.NewReader(asProto(t, rejected)), "Content-Type", typeProto)
		post(t, url+"/v1/traces", strings.NewReader(`{"resourceSpans": "`+"\x1b[31m"+`"}`), "Content-Type", typeJSON)
	}
	assert.Equal(t, otlpreceive.Counts{Spans: 3, Mended: 3, Rejected: 3, Refused: 3, Metrics: 3, Logs: 3, Profiles: 3}, r.Counts())
	mu.Lock()
	defer mu.Unlock()
	slices.Sort(told)
	assert.Equal(t, []string{
		`A request was refused: "the request is malformed"`,
		"A span was put right: a text was too long or no UTF-8, or the span ended before its start.",
		"A span was rejected: the trace ID is zero.",
		"Logs arrive, and are thrown away: only traces are shown.",
		"Metrics arrive, and are thrown away: only traces are shown.",
		"Profiles arrive, and are thrown away: only traces are shown.",
	}, told)
}
