// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"bytes"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope/wire"
	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/tracestate"
	"github.com/waybill-go/waybill/propagate"
)

// seedForms adds the golden messages and some around them.
func seedForms(f *testing.F, form wire.Form, more ...string) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "golden", "*"))
	require.NoError(f, err)
	for _, file := range files {
		if data, is := golden(f, filepath.Base(file)); is == form {
			f.Add(data)
			f.Add(data[:len(data)-1])
			f.Add(append(data, ' '))
		}
	}
	for _, data := range more {
		f.Add([]byte(data))
	}
}

// assertExpected decodes data and compares the result with what the oracle says.
func assertExpected(t *testing.T, form wire.Form, data []byte, want expected) {
	t.Helper()
	w := wire.Config[string]{Codec: wire.BytesCodec[string](), Form: form, Counters: new(wire.Counters)}
	before := string(data)
	e, err := w.Decode(data)
	require.Equal(t, before, string(data), "the bytes are the caller's")
	counts := w.Counters.Figures()
	require.Equal(t, want.wrapped, counts.Wrapped == 1)
	require.Equal(t, !want.wrapped, counts.Bare == 1)
	refused := counts.Truncated + counts.Malformed + counts.UnknownVersion + counts.Oversized + counts.Refused
	if want.err == errAny {
		require.Error(t, err)
	} else {
		require.ErrorIs(t, err, want.err)
	}
	if err != nil {
		require.Equal(t, uint64(1), refused)
		return
	}
	require.Zero(t, refused)
	require.Equal(t, want.message, e.Message())
	assertHeader(t, want, inner(e.Header()))
}

func assertHeader(t *testing.T, want expected, h *header.Header) {
	t.Helper()
	sc := h.SpanContext()
	var ids string
	if sc.IsValid() {
		traceID, spanID := sc.TraceID(), sc.SpanID()
		ids = string(traceID[:]) + string(spanID[:]) + string([]byte{byte(sc.TraceFlags())})
		require.True(t, sc.IsRemote())
	}
	require.Equal(t, want.ids, ids)
	state, ok := tracestate.Read([]string{want.state})
	if !ok || want.ids == "" {
		state = tracestate.List{}
	}
	all, _ := tracestate.Encode(state.State, state.Beside(sc.TraceID()))
	require.Equal(t, all, whole(h.Context(t.Context())))
	// It is read as from the header of a request.
	request := propagate.Baggage{Counters: new(propagate.Counters)}.Extract(t.Context(), propagation.MapCarrier{"baggage": want.bag})
	require.ElementsMatch(t, baggage.FromContext(request).Members(), h.Baggage().Members())
	if !sc.IsSampled() {
		require.Zero(t, h.Hops())
		require.Zero(t, h.SentAt())
		require.False(t, h.SampledByFanout())
		return
	}
	require.False(t, h.SentAt().After(time.Now()))
	require.Equal(t, max(want.hops, 1), h.Hops())
	require.Equal(t, want.age, h.Age())
	require.Equal(t, want.fanout > 0, h.SampledByFanout())
	require.Equal(t, want.fanout == 2, h.Linked())
}

func FuzzDecodeBinary(f *testing.F) {
	ids := "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x01\x02\x03\x04\x05\x06\x07\x08\x01"
	seedForms(f, wire.Binary, "", "\xf7", "{}", frame(field(1, ids)+field(1, ids), "m"),
		frame(field(3, "a=b"), ""), frame(field(129, "a=b"), ""), frame(field(6, "\x01"), ""))
	f.Fuzz(func(t *testing.T, data []byte) {
		assertExpected(t, wire.Binary, data, binaryOracle(data))
	})
}

func FuzzDecodeJSON(f *testing.F) {
	seedForms(f, wire.JSON, "", "{}", "[]", `{"a":"\"waybill:envelope\""}`, `{"waybill:envelope":{}}`,
		marked(`{"version":1,"hops":2,"hops":3}`, `[{}]`), marked(`{"version":1,"crit":["a"]}`, `0`),
		marked(`{"version":1,"age_ns":1}`, `"}"`), marked(`{"version":1}`, `1`)+"x",
		marked(`{"version":1,"tracestate":"a=b","traceparent":"00-0102030405060708090a0b0c0d0e0f10-0102030405060708-01"}`, `{}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if bytes.Contains(data, []byte(`\u`)) && bytes.Contains(data, []byte("waybill:envelope")) || len(data) > defaultMaxHeader {
			return // The oracle cannot tell how a key was spelt.
		}
		if bytes.HasPrefix(data, []byte("\xf7WB\xf6")) {
			return // That is for the other target.
		}
		want, known := jsonOracle(data)
		if known && bytes.Contains(data, []byte(`\u`)) && want.wrapped {
			want = expected{message: string(data)}
		}
		if known {
			assertExpected(t, wire.JSON, data, want)
			return
		}
		w := wire.Config[string]{Codec: wire.BytesCodec[string](), Form: wire.JSON}
		e, err := w.Decode(data)
		if err == nil {
			assert.Equal(t, string(data), e.Message(), "what is no JSON was unwrapped")
		}
	})
}

// token matches keys that the W3C can write.
var token = regexp.MustCompile(`^[a-z]+$`)

// FuzzRoundTrip writes any message with any header in both forms, and reads
// the same again.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("message"), []byte("0123456789abcdef01234567\x01"), "a=b,c=d", "k", "v;", int64(1e18), byte(2))
	f.Add([]byte{}, []byte("0123456789abcdef01234567\x00"), "", "", "", int64(0), byte(0))
	f.Add([]byte("\xf7WB\xf6\x01"), []byte{}, `a="\`, "k", "\x00\xff", int64(-1), byte(9))
	f.Fuzz(func(t *testing.T, message, ids []byte, state, key, value string, sent int64, hops byte) {
		var sc trace.SpanContext
		if len(ids) >= 25 {
			ts, _ := trace.ParseTraceState(state)
			sc = trace.NewSpanContext(trace.SpanContextConfig{
				TraceID: trace.TraceID(ids), SpanID: trace.SpanID(ids[16:]), TraceFlags: trace.TraceFlags(ids[24] & 3), TraceState: ts,
			})
		}
		ctx := trace.ContextWithSpanContext(t.Context(), sc)
		if m, err := baggage.NewMemberRaw(key, value); err == nil && token.MatchString(key) {
			if bag, err := baggage.New(m); err == nil {
				ctx = baggage.ContextWithBaggage(ctx, bag)
			}
		}
		h := header.CarryPolicy{Unsampled: true}.Header(ctx)
		for range hops % 4 {
			h = header.CarryPolicy{Unsampled: true}.Header(h.Context(t.Context()))
		}
		if hops%8 > 3 {
			h = h.ForSampled(hops%2 == 0)
		}
		if at := time.Unix(0, sent); at.Unix() > 0 && at.Before(time.Now()) && h.Sampled() {
			h = h.WithSentAt(at)
			h = h.WithSentAt(at.Add(max(0, -h.Age()))) // No age is negative.
		}
		for _, w := range []wire.Config[[]byte]{{}, {Form: wire.JSON}, {Codec: wire.BytesCodec[[]byte]()}} {
			data, err := w.Append(nil, with(message, h))
			require.NoError(t, err)
			e, err := w.Decode(data)
			require.NoError(t, err)
			require.Equal(t, string(message), string(e.Message()))
			if h.SentAt().Before(time.Now()) && h.Age() >= 0 {
				assertTravelled(t, h, inner(e.Header()))
			}
			again, err := w.Append(nil, e)
			require.NoError(t, err)
			require.Equal(t, string(data), string(again), "written again, it is the same")
		}
	})
}
