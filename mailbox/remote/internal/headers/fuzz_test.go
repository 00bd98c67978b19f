// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package headers_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/mailbox/remote/internal/headers"
	"github.com/waybill-go/waybill/propagate"
)

// Whatever strangers write, what is read is within all bounds, and is the same when it is
// written and read again.
func FuzzRead(f *testing.F) {
	f.Add(parent, "waybill=w:10;p:0.1;n:100;d:1,1st@=x", "a=1,b=%41", "1799999999000000123", "h:4;a:7;f:1", "")
	f.Add(parent, "a=1,a=2", "a", "0", "h:0;a:-1", parent)
	f.Add("", "", "a=\x00", "18446744073709551616", "h:18446744073709551616;a:1;f:2", "00-")
	f.Fuzz(func(t *testing.T, parent, state0, bag, sent, chain, other string) {
		in := map[string][]string{
			"traceparent": {parent}, "tracestate": {state0, other}, "Baggage": {bag}, "waybill-sent": {sent}, "waybill-chain": {chain},
		}
		if other != "" {
			in["Traceparent"] = []string{other}
		}
		for _, policy := range []propagate.Policy{propagate.Ignore, propagate.Link, propagate.Continue, propagate.ContinueIDs} {
			boundary := propagate.Boundary{Policy: policy, Propagator: propagate.SampledFirst{}, Counters: new(propagate.Counters)}
			h, _ := headers.Read(in, headers.Options{Boundary: boundary, Now: arrival})
			check(t, h)
			if policy != propagate.Continue && h != nil {
				require.Empty(t, state(h))
				require.LessOrEqual(t, h.Hops(), 1)
			}
		}
		h, found := headers.Read(in, headers.Options{Now: arrival})
		check(t, h)
		if h == nil {
			return
		}
		require.False(t, found.Bare)
		out, cut := headers.Write(h, nil, arrival)
		if cut {
			return
		}
		again, found := headers.Read(out, headers.Options{Now: arrival})
		require.Equal(t, headers.Found{Bare: len(out) == 0}, found)
		assert.Equal(t, h.SpanContext().WithTraceState(again.SpanContext().TraceState()), again.SpanContext())
		assert.Equal(t, state(h), state(again))
		assert.Equal(t, h.Hops(), again.Hops())
		assert.Equal(t, h.Age(), again.Age())
		assert.Equal(t, h.Baggage().Len(), again.Baggage().Len())
	})
}

func check(t *testing.T, h *header.Header) {
	t.Helper()
	require.LessOrEqual(t, h.Hops(), header.MaxHops)
	require.GreaterOrEqual(t, h.Age(), time.Duration(0))
	require.LessOrEqual(t, h.Age(), header.MaxAge)
	require.GreaterOrEqual(t, network(h), time.Duration(0))
	require.LessOrEqual(t, network(h), header.MaxAge)
	require.LessOrEqual(t, h.Baggage().Len(), 64)
	require.LessOrEqual(t, fanout.FromTraceState(h.SpanContext().TraceState()).Weight, fanout.MaxWeight)
}
