// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/envelope/wire"
	"github.com/waybill-go/waybill/internal/header"
)

const allJSON = "json-1-all.json"

// A trace as both forms have it, in the binary one without its flags.
const (
	wireIDs    = "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x01\x02\x03\x04\x05\x06\x07\x08"
	wireParent = `"traceparent":"00-0102030405060708090a0b0c0d0e0f10-0102030405060708-01"`
)

// frame returns a binary message with fields, as the documents describe it.
func frame(fields, message string) string {
	b := []byte("\xf7WB\xf6\x01")
	b = binary.BigEndian.AppendUint16(b, uint16(len(fields)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(message)))
	return string(b) + fields + message
}

func field(kind byte, value string) string {
	return string(binary.BigEndian.AppendUint16([]byte{kind}, uint16(len(value)))) + value
}

// marked returns a message in the JSON form with header and message as given.
func marked(header, message string) string {
	return fmt.Sprintf(`{"waybill:envelope":%s,"message":%s}`, header, message)
}

// TestWhatCannotBeOpened gives an error for each, counts it, and leaves the
// bytes alone.
func TestWhatCannotBeOpened(t *testing.T) {
	head := "\xf7WB\xf6\x01"
	for _, c := range []struct {
		data string
		err  error
	}{
		// Frames that end too early.
		{"\xf7WB\xf6", wire.ErrTruncated},
		{head, wire.ErrTruncated},
		{head + "\x00\x00\x00\x00\x00", wire.ErrTruncated},
		{head + "\x00\x00\x00\x00\x00\x01", wire.ErrTruncated},
		{frame(field(3, "a=b"), "{}")[:12], wire.ErrTruncated},
		// Sizes that lie.
		{head + "\xff\xff\x00\x00\x00\x00", wire.ErrOversized},
		{head + "\x00\x00\xff\xff\xff\xff", wire.ErrOversized},
		{head + "\x7f\xff\x03\xff\xff\xff{}", wire.ErrTruncated},
		{frame("", "{}") + "\n", wire.ErrMalformed},
		// Fields that do not end where they should.
		{frame("\x01", "{}"), wire.ErrMalformed},
		{frame("\x01\x00", "{}"), wire.ErrMalformed},
		{frame("\x01\x00\x01", "{}"), wire.ErrMalformed},
		{frame(field(9, "x")+"\x09\xff\xffyz", "{}"), wire.ErrMalformed},
		// What needs a newer reader.
		{"\xf7WB\xf6\x00", wire.ErrVersion},
		{"\xf7WB\xf6\xff", wire.ErrVersion},
		{frame(field(128, ""), "{}"), wire.ErrVersion},
		{frame(field(255, "x"), "{}"), wire.ErrVersion},
		// JSON that ends too early.
		{`{"waybill:envelope"`, wire.ErrTruncated},
		{`{"waybill:envelope": `, wire.ErrTruncated},
		{`{"waybill:envelope":{"version":1`, wire.ErrTruncated},
		{`{"waybill:envelope":{"version":1}`, wire.ErrTruncated},
		{`{"waybill:envelope":{"version":1},`, wire.ErrTruncated},
		{`{"waybill:envelope":{"version":1},"mess`, wire.ErrTruncated},
		{`{"waybill:envelope":{"version":1},"message":"{}`, wire.ErrTruncated},
		{`{"waybill:envelope":{"version":1},"message":7`, wire.ErrTruncated},
		{`{"waybill:envelope":{"version":1},"message":{}`, wire.ErrTruncated},
		// JSON that goes wrong.
		{`{"waybill:envelope";{"version":1},"message":{}}`, wire.ErrMalformed},
		{`{"waybill:envelope":,"message":{}}`, wire.ErrMalformed},
		{`{"waybill:envelope":{"version":1};"message":{}}`, wire.ErrMalformed},
		{`{"waybill:envelope":{"version":1},}`, wire.ErrMalformed},
		{`{"waybill:envelope":{"version":1},"\x":1,"message":{}}`, wire.ErrMalformed},
		{`{"waybill:envelope":{"version":1},"message":{},"other":nil}`, wire.ErrMalformed},
		{marked(`{"version":1}`, `{}`) + "]", wire.ErrMalformed},
		{`{"waybill:envelope":{"version":1}}`, wire.ErrMalformed},
		{marked(`{"version":1}`, `{},"message":{}`), wire.ErrMalformed},
		{marked(`{"version":1},"waybill:envelope":{"version":1}`, `{}`), wire.ErrMalformed},
		// Markers that are something else.
		{marked(`1`, `{}`), wire.ErrMalformed},
		{marked(`"version"`, `{}`), wire.ErrMalformed},
		{marked(`{]`, `{}`), wire.ErrMalformed},
		{marked(`{}`, `{}`), wire.ErrMalformed},
		{marked(`{"version":"1"}`, `{}`), wire.ErrMalformed},
		{marked(`{"version":1.0}`, `{}`), wire.ErrMalformed},
		{marked(`{"version":1,"version":1}`, `{}`), wire.ErrMalformed},
		{marked(`{"version":1,"crit":"baggage"}`, `{}`), wire.ErrMalformed},
		// What needs a newer reader.
		{marked(`{"version":0}`, `{}`), wire.ErrVersion},
		{marked(`{"version":2}`, `{}`), wire.ErrVersion},
		{marked(`{"crit":["baggage","gzip"],"version":1}`, `{}`), wire.ErrVersion},
		{marked(`{"crit":["gzip"],"version":1,"crit":[]}`, `{}`), wire.ErrVersion},
	} {
		w := newConfig(wire.JSON)
		data := []byte(c.data)
		e, err := w.Decode(data)
		require.ErrorIs(t, err, c.err, "%q", c.data)
		assert.Equal(t, envelope.Envelope[order]{}, e)
		assert.Equal(t, c.data, string(data), "the bytes are the caller's")
		counts := w.Counters.Figures()
		assert.Equal(t, uint64(1), counts.Wrapped, "%q", c.data)
		assert.Equal(t, map[error]uint64{c.err: 1}[wire.ErrTruncated], counts.Truncated, "%q", c.data)
		assert.Equal(t, map[error]uint64{c.err: 1}[wire.ErrMalformed], counts.Malformed, "%q", c.data)
		assert.Equal(t, map[error]uint64{c.err: 1}[wire.ErrOversized], counts.Oversized, "%q", c.data)
		assert.Equal(t, map[error]uint64{c.err: 1}[wire.ErrVersion], counts.UnknownVersion, "%q", c.data)
	}
}

// Every message that lost its end is refused, wherever that was, but for those
// that lost the means to know that they were wrapped.
func TestEveryTruncationIsSeen(t *testing.T) {
	for file, told := range map[string]int{"binary-1-all.hex": len("\xf7WB\xf6"), allJSON: len(`{"waybill:envelope"`)} {
		data, form := golden(t, file)
		for n := range data {
			w := newConfig(form)
			_, err := w.Decode(data[:n])
			if n >= told {
				require.ErrorIs(t, err, wire.ErrTruncated, "%s, %d bytes", file, n)
				continue
			}
			require.ErrorIs(t, err, wire.ErrCodec, "%s, %d bytes", file, n)
			assert.Equal(t, wire.Figures{Bare: 1, Undecodable: 1}, w.Counters.Figures())
		}
	}
}

// What looks a little like a wrapped message is bare.
func TestWhatIsBare(t *testing.T) {
	for _, data := range []string{
		"", "\xf7", "\xf7WB", "\xf7WB\xf7\x01", "x\xf7WB\xf6\x01",
		`"waybill:envelope"`, `["waybill:envelope",{}]`, `{}`, `{"waybill:envelopes":{}}`,
		`{"key":"waybill:envelope"}`, `{"key":{"waybill:envelope":{"version":1}}}`,
		`{"key":[{"waybill:envelope":{"version":1}}]}`, `{"key":"\"waybill:envelope\":{}"}`,
		`{"key";"waybill:envelope":{"version":1}}`, `{"Waybill:Envelope":{"version":1},"message":{}}`,
		`{"w\u0061ybill:envelope":{"version":1},"message":{}}`,
	} {
		w := wire.Config[string]{
			Codec: wire.BytesCodec[string](), Form: wire.JSON, Counters: new(wire.Counters),
		}
		e, err := w.Decode([]byte(data))
		require.NoError(t, err, "%q", data)
		assert.Equal(t, data, e.Message())
		assert.Nil(t, e.Header())
		assert.Equal(t, wire.Figures{Bare: 1}, w.Counters.Figures(), "%q", data)
	}
}

// TestMalformedContextIsAbsent has messages whose frame is right and what
// travels with them is not. They go through without it.
func TestMalformedContextIsAbsent(t *testing.T) {
	const ids, parent = wireIDs, wireParent
	traced := field(1, ids+"\x01")
	badTrace := wire.Figures{Wrapped: 1, TraceMalformed: 1}
	badState := wire.Figures{Wrapped: 1, TraceStateRefused: 1}
	badChain := wire.Figures{Wrapped: 1, ChainMalformed: 1}
	badBaggage := wire.Figures{Wrapped: 1, BaggageRefused: 1}
	in := func(members string) string { return marked(`{"version":1,`+members+`}`, `{"ID":7}`) }
	for data, counts := range map[string]wire.Figures{
		frame(field(1, ids), `{"ID":7}`):                                                                                    badTrace,
		frame(field(1, ids+"\x01\x00"), `{"ID":7}`):                                                                         badTrace,
		frame(field(1, ""), `{"ID":7}`):                                                                                     badTrace,
		frame(field(1, strings.Repeat("\x00", 16)+ids[16:]+"\x01"), `{"ID":7}`):                                             badTrace,
		frame(field(1, ids[:16]+strings.Repeat("\x00", 8)+"\x01"), `{"ID":7}`):                                              badTrace,
		frame(traced+traced, `{"ID":7}`):                                                                                    badTrace,
		frame(traced+field(2, "no tracestate"), `{"ID":7}`):                                                                 badState,
		frame(traced+field(2, "a=b")+field(2, "a=b"), `{"ID":7}`):                                                           badState,
		frame(traced+field(4, "\x00"), `{"ID":7}`):                                                                          badChain,
		frame(traced+field(4, strings.Repeat("\x00", 8)), `{"ID":7}`):                                                       badChain,
		frame(traced+field(4, strings.Repeat("\xff", 8)), `{"ID":7}`):                                                       badChain,
		frame(traced+field(4, "\x01\x02\x03\x04\x05\x06\x07\x08")+field(4, "\x01\x02\x03\x04\x05\x06\x07\x08"), `{"ID":7}`): badChain,
		frame(traced+field(5, "\x00\x00\x00\x00"), `{"ID":7}`):                                                              badChain,
		frame(traced+field(5, strings.Repeat("\x00", 12)), `{"ID":7}`):                                                      badChain,
		frame(traced+field(5, strings.Repeat("\xff", 12)), `{"ID":7}`):                                                      badChain,
		frame(traced+field(6, ""), `{"ID":7}`):                                                                              badChain,
		frame(traced+field(6, "\x00"), `{"ID":7}`):                                                                          badChain,
		frame(traced+field(6, "\x03"), `{"ID":7}`):                                                                          badChain,
		frame(traced+field(6, "\x01")+field(6, "\x01"), `{"ID":7}`):                                                         badChain,
		frame(traced+field(3, "no baggage"), `{"ID":7}`):                                                                    badBaggage,
		frame(traced+field(3, strings.Repeat("a", 9000)), `{"ID":7}`):                                                       badBaggage,
		frame(traced+field(3, "a=b")+field(3, "a=b"), `{"ID":7}`):                                                           badBaggage,

		in(`"traceparent":1`):    badTrace,
		in(`"traceparent":null`): badTrace,
		in(`"traceparent":""`):   badTrace,
		in(`"traceparent":"00-0102030405060708090a0b0c0d0e0f10-0102030405060708"`):      badTrace,
		in(`"traceparent":"00-0102030405060708090A0B0C0D0E0F10-0102030405060708-01"`):   badTrace,
		in(`"traceparent":"01-0102030405060708090a0b0c0d0e0f10-0102030405060708-01"`):   badTrace,
		in(`"traceparent":"00-00000000000000000000000000000000-0102030405060708-01"`):   badTrace,
		in(`"traceparent":"00-0102030405060708090a0b0c0d0e0f10-0000000000000000-01"`):   badTrace,
		in(`"traceparent":"00-0102030405060708090a0b0c0d0e0f10-0102030405060708-0G"`):   badTrace,
		in(`"traceparent":"00-0102030405060708090a0b0c0d0e0f10-0102030405060708-1A"`):   badTrace,
		in(`"traceparent":"00_0102030405060708090a0b0c0d0e0f10-0102030405060708-01"`):   badTrace,
		in(`"traceparent":"00-0102030405060708090a0b0c0d0e0f10_0102030405060708-01"`):   badTrace,
		in(`"traceparent":"00-0102030405060708090a0b0c0d0e0f10-0102030405060708_01"`):   badTrace,
		in(`"traceparent":"00-0102030405060708090a0b0c0d0e0f10-0102030405060708-01-x"`): badTrace,
		in(parent + `,` + parent):                             badTrace,
		in(parent + `,"tracestate":["a=b"]`):                  badState,
		in(parent + `,"tracestate":"a"`):                      badState,
		in(parent + `,"tracestate":"","tracestate":""`):       badState,
		in(parent + `,"sent":1`):                              badChain,
		in(parent + `,"sent":"yesterday"`):                    badChain,
		in(parent + `,"sent":"2026-01-02T3:04:05Z"`):          badChain,
		in(parent + `,"sent":"2026-01-02T03:04:05,5Z"`):       badChain,
		in(parent + `,"sent":"2026-01-02T03:04:05+24:00"`):    badChain,
		in(parent + `,"sent":"2026-01-02T03:04:05-23:60"`):    badChain,
		in(parent + `,"sent":"1969-01-02T03:04:05Z"`):         badChain,
		in(parent + `,"sent":"2600-01-02T03:04:05Z"`):         badChain,
		in(parent + `,"sent":"2300-01-02T03:04:05Z"`):         badChain,
		in(parent + `,"hops":0`):                              badChain,
		in(parent + `,"hops":-1`):                             badChain,
		in(parent + `,"hops":"1"`):                            badChain,
		in(parent + `,"hops":4294967296`):                     badChain,
		in(parent + `,"hops":1,"hops":1`):                     badChain,
		in(parent + `,"hops":1,"age_ns":-1`):                  badChain,
		in(parent + `,"hops":1,"age_ns":1.5`):                 badChain,
		in(parent + `,"hops":1,"age_ns":1,"age_ns":1`):        badChain,
		in(parent + `,"hops":1,"age_ns":9223372036854775808`): badChain,
		in(parent + `,"age_ns":1`):                            badChain,
		in(parent + `,"fanout":"mine"`):                       badChain,
		in(parent + `,"fanout":1`):                            badChain,
		in(parent + `,"fanout":"sampled","fanout":"sampled"`): badChain,
		in(parent + `,"baggage":{"a":"b"}`):                   badBaggage,
		in(parent + `,"baggage":"no baggage"`):                badBaggage,
		in(parent + `,"baggage":"a=b","baggage":"a=b"`):       badBaggage,
	} {
		w := newConfig(wire.JSON)
		e, err := w.Decode([]byte(data))
		require.NoError(t, err, "%q", data)
		assert.Equal(t, order{7}, e.Message(), "%q", data)
		assert.Equal(t, counts, w.Counters.Figures(), "%q", data)
		if counts == badTrace {
			assert.Nil(t, e.Header(), "%q", data)
			continue
		}
		want := spanContext(trace.FlagsSampled).WithRemote(true)
		assert.True(t, want.Equal(e.Header().SpanContext()), "%q", data)
		assert.Equal(t, 1, inner(e.Header()).Hops(), "%q", data)
		assert.Zero(t, inner(e.Header()).Age(), "%q", data)
		assert.False(t, inner(e.Header()).SampledByFanout(), "%q", data)
		assert.Zero(t, e.Header().Baggage().Len(), "%q", data)
	}
}

// TestWhatIsBoundedOnTheWire reads claims that are well formed and beyond what can
// be: they are cut to what can, so that nothing that follows overflows.
func TestWhatIsBoundedOnTheWire(t *testing.T) {
	const most = 3650 * 24 * time.Hour
	for data, want := range map[string]struct {
		hops int
		age  time.Duration
	}{
		frame(field(1, wireIDs+"\x01")+field(5, "\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x01"), `{"ID":7}`): {1 << 30, 1},
		frame(field(1, wireIDs+"\x01")+field(5, "\x7f\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x01"), `{"ID":7}`): {1 << 30, 1},
		frame(field(1, wireIDs+"\x01")+field(5, "\x00\x00\x00\x02\x7f\xff\xff\xff\xff\xff\xff\xff"), `{"ID":7}`): {2, most},
		frame(field(1, wireIDs+"\x01")+field(5, "\x00\x00\x00\x02\x04\x60\x62\x3f\xc8\x5e\x00\x01"), `{"ID":7}`): {2, most},
		marked(`{"version":1,`+wireParent+`,"hops":4000000000,"age_ns":9223372036854775807}`, `{"ID":7}`):        {1 << 30, most},
		marked(`{"version":1,`+wireParent+`,"hops":1073741825,"age_ns":1}`, `{"ID":7}`):                          {1 << 30, 1},
	} {
		w := newConfig(wire.JSON)
		e, err := w.Decode([]byte(data))
		require.NoError(t, err, "%q", data)
		assert.Equal(t, want.hops, inner(e.Header()).Hops(), "%q", data)
		assert.Equal(t, want.age, inner(e.Header()).Age(), "%q", data)
		assert.Equal(t, wire.Figures{Wrapped: 1, ChainMalformed: 1}, w.Counters.Figures(), "%q", data)
		before := inner(e.Header().WithSentAt(e.Header().SentAt().Add(-time.Hour)))
		next := header.CarryPolicy{}.Header(before.Context(envelope.Untraced(t.Context())))
		assert.Equal(t, min(want.hops+1, 1<<30), next.Hops(), "%q", data)
		assert.GreaterOrEqual(t, next.Age(), want.age-time.Hour, "%q", data)
		assert.LessOrEqual(t, next.Age(), most, "%q", data)
	}
}

// TestReservedFlagsAreCleared: of the flags, sampled and random are passed on, as
// package propagate does.
func TestReservedFlagsAreCleared(t *testing.T) {
	for flags := range 256 {
		kept := trace.TraceFlags(flags) & (trace.FlagsSampled | trace.FlagsRandom)
		for _, data := range []string{
			frame(field(1, wireIDs+string([]byte{byte(flags)})), `{"ID":7}`),
			marked(fmt.Sprintf(`{"version":1,%s%02x"}`, wireParent[:len(wireParent)-3], flags), `{"ID":7}`),
		} {
			w := newConfig(wire.JSON)
			e, err := w.Decode([]byte(data))
			require.NoError(t, err, "%q", data)
			assert.Equal(t, spanContext(kept).WithRemote(true), e.Header().SpanContext(), "%q", data)
			assert.Equal(t, wire.Figures{Wrapped: 1}, w.Counters.Figures(), "%q", data)
		}
		for form, f := range forms {
			h := inner(nil).WithSpanContext(spanContext(trace.TraceFlags(flags)))
			data, err := newConfig(f).Append(nil, with(order{7}, h))
			require.NoError(t, err)
			plain, err := newConfig(f).Append(nil, with(order{7}, h.WithSpanContext(spanContext(kept))))
			require.NoError(t, err)
			assert.Equal(t, string(plain), string(data), "%s, %02x", form, flags)
		}
	}
}

// Baggage is a list: what is valid in it is kept.
func TestBaggageIsKeptInPart(t *testing.T) {
	w := newConfig(wire.Binary)
	e, err := w.Decode([]byte(frame(field(3, "a=b,no member,c=d"), `{"ID":7}`)))
	require.NoError(t, err)
	assert.Equal(t, "d", e.Header().Baggage().Member("c").Value())
	assert.Equal(t, 2, e.Header().Baggage().Len())
	assert.Equal(t, wire.Figures{Wrapped: 1, BaggageRefused: 1}, w.Counters.Figures())

	e, err = w.Decode([]byte(frame(field(3, "a=b,c=d,a=e"), `{"ID":7}`)))
	require.NoError(t, err)
	assert.Equal(t, "e", e.Header().Baggage().Member("a").Value(), "the last one")
	assert.Equal(t, 2, e.Header().Baggage().Len())
	assert.Equal(t, wire.Figures{Wrapped: 2, BaggageRefused: 2}, w.Counters.Figures())
}

func TestJSONMessagesAreChecked(t *testing.T) {
	for _, codec := range []wire.Codec[json.RawMessage]{
		wire.JSONCodec[json.RawMessage](), wire.BytesCodec[json.RawMessage](),
	} {
		w := wire.Config[json.RawMessage]{Codec: codec, Form: wire.JSON}
		for _, message := range []string{"[}", "nil", "01", `{"a":}`, `"` + "\n" + `"`} {
			_, err := w.Decode([]byte(marked(`{"version":1}`, message)))
			require.Error(t, err, message)
			_, err = w.Append(nil, envelope.Bare(json.RawMessage(message)))
			require.ErrorIs(t, err, wire.ErrCodec, message)
		}
		e, err := w.Decode([]byte(marked(`{"version":1}`, ` [1, "}", {"a": "\"]"}] `)))
		require.NoError(t, err)
		assert.JSONEq(t, `[1, "}", {"a": "\"]"}]`, string(e.Message()))
	}
}
