// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/envelope/wire"
	"github.com/waybill-go/waybill/internal/header"
)

// wire returns one for orders that counts alone.
func newConfig(form wire.Form) wire.Config[order] {
	return wire.Config[order]{Form: form, Counters: new(wire.Counters)}
}

var forms = map[string]wire.Form{"binary": wire.Binary, "JSON": wire.JSON}

// fullHeader returns one that has everything, sent by somebody who got it
// himself a second ago, so that it is the second of its chain. It waits for
// that second: call it where waiting costs nothing.
func fullHeader(t testing.TB) *header.Header {
	t.Helper()
	state, err := trace.ParseTraceState(`waybill=w:2,vendor=a"b\c`)
	require.NoError(t, err)
	sc := spanContext(trace.FlagsSampled | trace.FlagsRandom).WithTraceState(state)
	first := header.CarryPolicy{}.Header(withBaggage(t, trace.ContextWithSpanContext(t.Context(), sc), `ac me,"\é`))
	time.Sleep(time.Second)
	return header.CarryPolicy{}.Header(first.Context(t.Context())).ForSampled(true)
}

// assertTravelled compares a header with what another machine made of it.
func assertTravelled(t *testing.T, want, got *header.Header) {
	t.Helper()
	sc := want.SpanContext()
	if sc.IsValid() {
		sc = sc.WithRemote(true)
	}
	assert.Equal(t, sc, got.SpanContext())
	assert.Equal(t, want.Baggage().Members(), got.Baggage().Members())
	assert.Equal(t, want.Hops(), got.Hops())
	assert.Equal(t, want.Age(), got.Age())
	assert.Equal(t, want.SampledByFanout(), got.SampledByFanout())
	assert.Equal(t, want.Linked(), got.Linked())
	if want.Sampled() {
		assert.Zero(t, want.SentAt().Sub(got.SentAt().Round(0)), "%v, %v", want.SentAt(), got.SentAt())
	} else {
		assert.Zero(t, got.SentAt())
	}
}

func TestWhatAHeaderHasIsCarried(t *testing.T) { synctest.Test(t, testWhatAHeaderHasIsCarried) }

func testWhatAHeaderHasIsCarried(t *testing.T) {
	full := fullHeader(t)
	assert.Equal(t, 2, full.Hops())
	assert.Equal(t, time.Second, full.Age())
	bag := header.CarryPolicy{}.Header(withBaggage(t, t.Context(), "acme"))
	headers := map[string]*header.Header{
		"everything":           full,
		"sampled by a fan-out": header.CarryPolicy{}.Header(sampledContext(t)).ForSampled(false),
		"sampled":              header.CarryPolicy{}.Header(sampledContext(t)),
		"unsampled":            header.CarryPolicy{Unsampled: true}.Header(withBaggage(t, unsampledContext(t), "acme")),
		"baggage":              bag,
		"nothing":              nil,
	}
	for form, f := range forms {
		for name, h := range headers {
			t.Log(form, name)
			w := newConfig(f)
			data, err := w.Append([]byte("before"), with(order{7}, h))
			require.NoError(t, err)
			require.True(t, bytes.HasPrefix(data, []byte("before")))
			e, err := w.Decode(data[len("before"):])
			require.NoError(t, err)
			assert.Equal(t, order{7}, e.Message())
			assertTravelled(t, h, inner(e.Header()))
			assert.Equal(t, h == nil, e.Header() == nil)
			assert.Equal(t, wire.Figures{Wrapped: 1, WrittenWrapped: 1}, w.Counters.Figures())
		}
	}
}

// A message that no fan-out sampled takes nothing sampled along, and its time and
// place in the chain, which belong to the trace, stay behind as well.
func TestSkippedTravelsUnsampled(t *testing.T) { synctest.Test(t, testSkippedTravelsUnsampled) }

func testSkippedTravelsUnsampled(t *testing.T) {
	for form, f := range forms {
		h := fullHeader(t)
		w := newConfig(f)
		data, err := w.Append(nil, with(order{7}, h.Skip(false)))
		require.NoError(t, err)
		e, err := w.Decode(data)
		require.NoError(t, err)
		assert.False(t, e.Header().SpanContext().IsValid(), form)
		assert.Equal(t, 1, e.Header().Baggage().Len(), form)
		assert.NotContains(t, string(data), "0102030405060708090a0b0c0d0e0f10", form)
		id := h.SpanContext().TraceID()
		assert.NotContains(t, string(data), string(id[:]), form)

		data, err = w.Append(nil, with(order{7}, h.Skip(true)))
		require.NoError(t, err)
		e, err = w.Decode(data)
		require.NoError(t, err)
		assert.Equal(t, h.SpanContext().TraceID(), e.Header().SpanContext().TraceID(), form)
		assert.False(t, e.Header().Sampled(), form)
		assert.False(t, inner(e.Header()).Skipped().IsValid(), form)
		assert.Zero(t, e.Header().SentAt(), form)
	}
}

// What is in a map comes in any order; on the wire it is always the same.
func TestBaggageIsWrittenInOrder(t *testing.T) {
	bag, err := baggage.Parse("h=1,c=2,a=3,g=4,b=5,f=6,e=7,d=8")
	require.NoError(t, err)
	h := envelope.NewHeader(baggage.ContextWithBaggage(t.Context(), bag))
	for range 20 {
		data, err := newConfig(wire.Binary).Append(nil, envelope.New(order{7}, h))
		require.NoError(t, err)
		assert.Equal(t, frame(field(3, "a=3,b=5,c=2,d=8,e=7,f=6,g=4,h=1"), `{"ID":7}`), string(data))
	}
}

// A sentinel means something to one operating system process only.
func TestSentinelStaysAtHome(t *testing.T) {
	h := header.CarryPolicy{}.Header(withBaggage(t, t.Context(), "acme")).WithSpanContext(envelope.Sentinel())
	for form, f := range forms {
		data, err := newConfig(f).Append(nil, with(order{7}, h))
		require.NoError(t, err)
		e, err := newConfig(f).Decode(data)
		require.NoError(t, err)
		assert.False(t, e.Header().SpanContext().IsValid(), form)
		assert.Equal(t, 1, e.Header().Baggage().Len(), form)
	}
}

// A chain of messages goes on counting on the next machine, and its age takes
// the way there in.
func TestChainGoesOnAcrossMachines(t *testing.T) {
	for form, f := range forms {
		w := newConfig(f)
		h := header.CarryPolicy{}.Header(sampledContext(t)).WithSentAt(time.Now().Add(-time.Hour))
		for hop := 1; hop <= 3; hop++ {
			assert.Equal(t, hop, h.Hops(), form)
			data, err := w.Append(nil, with(order{hop}, h))
			require.NoError(t, err)
			e, err := w.Decode(data)
			require.NoError(t, err)
			ctx, m := e.Unwrap(t.Context())
			assert.Equal(t, order{hop}, m, form)
			h = inner(envelope.Wrap(ctx, m).Header())
		}
		assert.GreaterOrEqual(t, h.Age(), time.Hour, form)
		assert.Less(t, h.Age(), 2*time.Hour, form)
	}
}

// The clock of a sender may be ahead, or say what cannot be said. Its messages
// have then been sent now.
func TestNoMessageIsFromTheFuture(t *testing.T) {
	for form, f := range forms {
		for what, sent := range map[string]time.Time{
			"ahead":       time.Now().Add(time.Hour),
			"far ahead":   time.Unix(1<<40, 0),
			"before 1970": time.Unix(-1, 0),
		} {
			h := envelope.NewHeader(sampledContext(t)).WithSentAt(sent)
			w := newConfig(f)
			data, err := w.Append(nil, envelope.New(order{7}, h))
			require.NoError(t, err)
			before := time.Now()
			e, err := w.Decode(data)
			require.NoError(t, err)
			assert.False(t, e.Header().SentAt().Before(before), "%s, %s", form, what)
			assert.False(t, e.Header().SentAt().After(time.Now()), "%s, %s", form, what)
			assert.Equal(t, 1, inner(e.Header()).Hops())
			assert.GreaterOrEqual(t, inner(e.Header()).Age(), time.Duration(0))
			assert.Zero(t, w.Counters.Figures().ChainMalformed)
		}
	}
}

func TestAcceptRefusesOneOrTheOther(t *testing.T) {
	bare, err := json.Marshal(order{7})
	require.NoError(t, err)
	for form, f := range forms {
		wrapped, err := newConfig(f).Append(nil, envelope.Wrap(sampledContext(t), order{7}))
		require.NoError(t, err)
		for _, c := range []struct {
			accept wire.Accept
			data   []byte
			err    error
			counts wire.Figures
		}{
			{wire.BareAndWrapped, bare, nil, wire.Figures{Bare: 1}},
			{wire.BareAndWrapped, wrapped, nil, wire.Figures{Wrapped: 1}},
			{wire.BareOnly, bare, nil, wire.Figures{Bare: 1}},
			{wire.BareOnly, wrapped, wire.ErrWrapped, wire.Figures{Wrapped: 1, Refused: 1}},
			{wire.WrappedOnly, bare, wire.ErrBare, wire.Figures{Bare: 1, Refused: 1}},
			{wire.WrappedOnly, wrapped, nil, wire.Figures{Wrapped: 1}},
		} {
			w := newConfig(f)
			w.Accept = c.accept
			before := bytes.Clone(c.data)
			e, err := w.Decode(c.data)
			require.ErrorIs(t, err, c.err, form)
			if c.err == nil {
				assert.Equal(t, order{7}, e.Message(), form)
			} else {
				assert.Equal(t, envelope.Envelope[order]{}, e, form)
			}
			assert.Equal(t, before, c.data, form)
			assert.Equal(t, c.counts, w.Counters.Figures(), form)
		}
	}
}

// What a JSON codec reads may be wrapped in either form, whatever the reader
// writes itself.
func TestReadersOfJSONKnowBothForms(t *testing.T) {
	for writes, f := range forms {
		data, err := newConfig(f).Append(nil, envelope.Wrap(sampledContext(t), order{7}))
		require.NoError(t, err)
		for reads, g := range forms {
			e, err := newConfig(g).Decode(data)
			require.NoError(t, err)
			assert.Equal(t, order{7}, e.Message(), "%s, %s", writes, reads)
			assert.True(t, e.Header().Sampled(), "%s, %s", writes, reads)
		}
	}
}

// A codec whose messages are no JSON makes the reader look for the binary form
// alone: a message may then contain the marker, and even begin with it.
func TestMarkerIsOnlyLookedForInJSON(t *testing.T) {
	data, err := newConfig(wire.JSON).Append(nil, envelope.Wrap(sampledContext(t), order{7}))
	require.NoError(t, err)
	w := wire.Config[string]{Codec: wire.BytesCodec[string](), Counters: new(wire.Counters)}
	e, err := w.Decode(data)
	require.NoError(t, err)
	assert.Equal(t, string(data), e.Message())
	assert.Equal(t, wire.Figures{Bare: 1}, w.Counters.Figures())

	w.Form = wire.JSON // Now its messages are JSON.
	e, err = w.Decode(data)
	require.NoError(t, err)
	assert.JSONEq(t, `{"ID":7}`, e.Message())
}

// What is inside a wrapped message is never looked at: whatever its bytes, they
// come out as they went in.
func TestWrappedMessagesMayHoldWrappedOnes(t *testing.T) {
	inner, err := newConfig(wire.Binary).Append(nil, envelope.Wrap(sampledContext(t), order{7}))
	require.NoError(t, err)
	w := wire.Config[[]byte]{Codec: wire.BytesCodec[[]byte](), Accept: wire.WrappedOnly}
	data, err := w.Append(nil, envelope.Bare(inner))
	require.NoError(t, err)
	e, err := w.Decode(data)
	require.NoError(t, err)
	assert.Equal(t, inner, e.Message())
	assert.Nil(t, e.Header())
}

func TestWrapIsALiveSwitch(t *testing.T) {
	wraps := false
	for form, f := range forms {
		w := newConfig(f)
		w.Wrap = func() bool { return wraps }
		for _, wraps = range []bool{false, true, false} {
			data, err := w.Append(nil, envelope.Wrap(sampledContext(t), order{7}))
			require.NoError(t, err)
			e, err := w.Decode(data)
			require.NoError(t, err)
			assert.Equal(t, order{7}, e.Message(), form)
			assert.Equal(t, wraps, e.Header().Sampled(), form)
			assert.Equal(t, !wraps, string(data) == `{"ID":7}`, form)
		}
		assert.Equal(t, wire.Figures{Bare: 2, Wrapped: 1, WrittenBare: 2, WrittenWrapped: 1}, w.Counters.Figures())
	}
}

func TestZeroConfigCountsByDefault(t *testing.T) {
	before := wire.DefaultCounters().Figures()
	var w wire.Config[order]
	data, err := w.Append(nil, envelope.Bare(order{7}))
	require.NoError(t, err)
	assert.Equal(t, "\xf7WB\xf6\x01\x00\x00\x00\x00\x00\x08"+`{"ID":7}`, string(data))
	e, err := w.Decode(data)
	require.NoError(t, err)
	assert.Equal(t, order{7}, e.Message())
	after := wire.DefaultCounters().Figures()
	assert.Positive(t, after.Wrapped-before.Wrapped)
	assert.Positive(t, after.WrittenWrapped-before.WrittenWrapped)
}

// failing is a codec that does what it is told.
type failing struct {
	appended []byte
	err      error
}

var errFailing = errors.New("it failed")

func (c failing) Append(b []byte, _ order) ([]byte, error) {
	if c.appended == nil {
		return nil, c.err
	}
	return append(b, c.appended...), c.err
}

func (c failing) Decode([]byte) (order, error) { return order{1}, c.err }

func TestCodecsThatFail(t *testing.T) {
	e := envelope.Wrap(sampledContext(t), order{7})
	for form, f := range forms {
		for _, wraps := range []bool{true, false} {
			for what, c := range map[string]failing{
				"error":                       {[]byte("{}"), errFailing},
				"error and nothing":           {nil, errFailing},
				"nothing, not what was there": {nil, nil},
			} {
				w := newConfig(f)
				w.Codec, w.Wrap = c, func() bool { return wraps }
				b, err := w.Append([]byte("before"), e)
				require.ErrorIs(t, err, wire.ErrCodec, "%s, %s", form, what)
				if c.err != nil {
					require.ErrorIs(t, err, errFailing)
				}
				assert.Equal(t, "before", string(b), "%s, %s", form, what)
				assert.Equal(t, wire.Figures{}, w.Counters.Figures())
			}
		}

		w := newConfig(f)
		w.Codec = failing{err: errFailing}
		data, err := newConfig(f).Append(nil, e)
		require.NoError(t, err)
		got, err := w.Decode(data)
		require.ErrorIs(t, err, wire.ErrCodec)
		require.ErrorIs(t, err, errFailing)
		assert.True(t, got.Header().Sampled(), "the failure can be told in the sender's trace")
		assert.Zero(t, got.Message())
		assert.Equal(t, wire.Figures{Wrapped: 1, Undecodable: 1}, w.Counters.Figures())
	}

	w := newConfig(wire.JSON)
	w.Codec = failing{appended: []byte(`{"a":`)}
	_, err := w.Append(nil, e)
	require.ErrorContains(t, err, "no valid JSON")
	w.Codec = failing{appended: []byte(`{"a":1}`)}
	_, err = w.Append(nil, e)
	require.NoError(t, err)
}

func ExampleConfig() {
	sender := trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{0x0a, 15: 0x01}, SpanID: trace.SpanID{0x0b, 7: 0x01}, TraceFlags: trace.FlagsSampled,
	}))
	wire := wire.Config[Order]{}
	data, err := wire.Append(nil, envelope.Wrap(sender, Order{"a lamp"}))
	if err != nil {
		fmt.Println(err)
	}

	// The data goes to another machine. One that has not been upgraded yet sends
	// its orders without a trace.
	for _, data := range [][]byte{data, []byte(`{"Item":"a table"}`)} {
		e, err := wire.Decode(data)
		if err != nil {
			fmt.Println(err)
			continue
		}
		_, order := e.Unwrap(context.Background())
		fmt.Println(order.Item, e.Header().SpanContext().TraceID())
	}
	// Output:
	// a lamp 0a000000000000000000000000000001
	// a table 00000000000000000000000000000000
}

// A time of sending may be written in every way that RFC 3339 has, as in browsers.
func TestTimesOfOtherWriters(t *testing.T) {
	for text, want := range map[string]string{
		"2026-01-02T03:04:05.678Z":         "2026-01-02T03:04:05.678Z",
		"2026-01-02T03:04:05Z":             "2026-01-02T03:04:05Z",
		"2026-01-02T03:04:05+05:30":        "2026-01-01T21:34:05Z",
		"2026-01-01T03:04:05.25-23:59":     "2026-01-02T03:03:05.25Z",
		`2026-01-02T03:04:05.\u0036Z`:      "2026-01-02T03:04:05.6Z",
		"2026-01-02T03:04:05.000000006Z":   "2026-01-02T03:04:05.000000006Z",
		"2026-01-02T03:04:05.0000000069Z":  "2026-01-02T03:04:05.000000006Z",
		"1970-01-01T00:00:01.000000-00:00": "1970-01-01T00:00:01Z",
	} {
		w := newConfig(wire.JSON)
		e, err := w.Decode([]byte(marked(`{"version":1,`+wireParent+`,"sent":"`+text+`"}`, `{"ID":7}`)))
		require.NoError(t, err)
		assert.Equal(t, want, e.Header().SentAt().UTC().Format(time.RFC3339Nano), text)
		assert.Equal(t, wire.Figures{Wrapped: 1}, w.Counters.Figures(), text)
	}
}
