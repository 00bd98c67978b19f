// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package convert_test

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/waybill-go/waybill/internal/otlpreceive/convert"
	"github.com/waybill-go/waybill/internal/traces"
)

// TestNothingOfASpanIsKeptUncounted fills a store with spans that are large in one place each,
// and measures what the store takes.
func TestNothingOfASpanIsKeptUncounted(t *testing.T) {
	if testing.Short() {
		t.Skip("converts many large spans")
	}
	text := strings.Repeat("v", 8<<10)
	state := func() string {
		var members []string
		for i := range 16 {
			members = append(members, fmt.Sprintf("k%d=%s", i, strings.Repeat("v", 250)))
		}
		return strings.Join(members, ",")
	}()
	for name, change := range map[string]func(ptrace.ResourceSpans, ptrace.ScopeSpans, ptrace.Span){
		"resource": func(r ptrace.ResourceSpans, _ ptrace.ScopeSpans, _ ptrace.Span) {
			r.Resource().Attributes().PutStr("k", text)
		},
		"schema": func(r ptrace.ResourceSpans, _ ptrace.ScopeSpans, _ ptrace.Span) { r.SetSchemaUrl(text) },
		"scope": func(_ ptrace.ResourceSpans, s ptrace.ScopeSpans, _ ptrace.Span) {
			s.Scope().SetName("scope")
			for i := range 20 {
				s.Scope().Attributes().PutStr(fmt.Sprint(i), text)
			}
		},
		"scope's name": func(_ ptrace.ResourceSpans, s ptrace.ScopeSpans, _ ptrace.Span) { s.Scope().SetName(text) },
		"name":         func(_ ptrace.ResourceSpans, _ ptrace.ScopeSpans, s ptrace.Span) { s.SetName(text) },
		"status":       func(_ ptrace.ResourceSpans, _ ptrace.ScopeSpans, s ptrace.Span) { s.Status().SetMessage(text) },
		"tracestate":   func(_ ptrace.ResourceSpans, _ ptrace.ScopeSpans, s ptrace.Span) { s.TraceState().FromRaw(state) },
		"text":         func(_ ptrace.ResourceSpans, _ ptrace.ScopeSpans, s ptrace.Span) { s.Attributes().PutStr("k", text) },
		"keys": func(_ ptrace.ResourceSpans, _ ptrace.ScopeSpans, s ptrace.Span) {
			for i := range 20 {
				s.Attributes().PutBool(strings.Repeat("k", 900)+fmt.Sprint(i), true)
			}
		},
		"empty texts": func(_ ptrace.ResourceSpans, _ ptrace.ScopeSpans, s ptrace.Span) {
			for i := range 20 {
				list := s.Attributes().PutEmptySlice(fmt.Sprint(i))
				for range convert.MaxElements {
					list.AppendEmpty().SetStr("")
				}
			}
		},
		"numbers": func(_ ptrace.ResourceSpans, _ ptrace.ScopeSpans, s ptrace.Span) {
			for i := range 20 {
				list := s.Attributes().PutEmptySlice(fmt.Sprint(i))
				for range convert.MaxElements {
					list.AppendEmpty().SetInt(0)
				}
			}
		},
		"nested": func(_ ptrace.ResourceSpans, _ ptrace.ScopeSpans, s ptrace.Span) {
			list := s.Attributes().PutEmptySlice("k")
			for range 200 {
				list.AppendEmpty().SetEmptyMap().PutEmptySlice("k").AppendEmpty().SetEmptySlice()
			}
		},
		"events": func(_ ptrace.ResourceSpans, _ ptrace.ScopeSpans, s ptrace.Span) {
			for range 100 {
				s.Events().AppendEmpty().Attributes().PutEmpty("k")
			}
		},
		"links": func(_ ptrace.ResourceSpans, _ ptrace.ScopeSpans, s ptrace.Span) {
			for range 20 {
				link := s.Links().AppendEmpty()
				link.SetTraceID(pcommon.TraceID{1})
				link.SetSpanID(pcommon.SpanID{1})
				link.TraceState().FromRaw(state)
			}
		},
		"nothing": func(ptrace.ResourceSpans, ptrace.ScopeSpans, ptrace.Span) {},
	} {
		t.Run(name, func(t *testing.T) {
			const limit, atLeast = 4 << 20, 8 << 20
			store := traces.New(traces.Config{Bytes: limit})
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			for sent := 0; sent < atLeast; {
				body := request(nil)
				r := body.ResourceSpans().At(0)
				span := r.ScopeSpans().At(0).Spans().At(0)
				var id pcommon.TraceID
				binary.BigEndian.PutUint64(id[:], uint64(sent+1))
				span.SetTraceID(id)
				change(r, r.ScopeSpans().At(0), span)
				encoded, err := new(ptrace.ProtoMarshaler).MarshalTraces(body)
				require.NoError(t, err)
				decoded, err := new(ptrace.ProtoUnmarshaler).UnmarshalTraces(encoded)
				require.NoError(t, err)
				for _, converted := range convert.Spans(decoded, time.Time{}).Spans {
					store.Add(converted)
				}
				sent += len(encoded)
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			took := after.HeapAlloc - min(after.HeapAlloc, before.HeapAlloc)
			t.Logf("%s: %d KiB, where %d KiB are counted", name, took>>10, store.Totals().Bytes>>10)
			assert.Less(t, took, uint64(3*limit/2))
		})
	}
}
