// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package headers_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/tracestate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

var (
	traceID, _ = trace.TraceIDFromHex("0af7651916cd43dd8448eb211c80319c")
	spanID, _  = trace.SpanIDFromHex("b7ad6b7169203331")
	arrival    = time.Unix(1_800_000_000, 123)
)

// content returns the content of a header with everything.
func content(t testing.TB) header.Content {
	t.Helper()
	list, ok := tracestate.Read([]string{"waybill=w:10;p:0.1;n:100;d:1;b:7;e:6.5,1st@=x,b=2"})
	require.True(t, ok)
	bag, err := baggage.Parse("user=7,tier=gold;p=1")
	require.NoError(t, err)
	return header.Content{
		SpanContext: trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: traceID, SpanID: spanID, TraceFlags: trace.FlagsSampled, TraceState: list.State, Remote: true,
		}),
		Beside: list.Beside(traceID), Baggage: bag, SentAt: arrival.Add(-3 * time.Second), Hops: 4, Age: 5 * time.Second,
		SampledByFanout: true,
	}
}

// state returns the whole tracestate of a header.
func state(h *header.Header) string {
	text, _ := tracestate.Encode(h.SpanContext().TraceState(), h.Beside())
	return text
}

func network(h *header.Header) time.Duration {
	took, _ := h.Network()
	return took
}

func remote(h *header.Header) bool {
	_, remote := h.Network()
	return remote
}

// members returns a tracestate of n members, each with a value of length characters.
func members(n, length int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = string(rune('a'+i%26)) + strings.Repeat("k", i/26) + "=" + strings.Repeat("v", length)
	}
	return strings.Join(list, ",")
}
