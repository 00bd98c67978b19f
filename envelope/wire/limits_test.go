// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/envelope/wire"
)

func TestLimitsOfReaders(t *testing.T) {
	message := `{"ID":7}`
	for _, c := range []struct {
		data   string
		header int // Of data: what stands there.
	}{
		{message, 0},
		{frame(field(3, "a=b"), message), 6},
		{marked(`{"version":1,"baggage":"a=b"}`, message), 29},
	} {
		for _, l := range []struct {
			header, message int
			err             error
		}{
			{c.header, len(message), nil},
			{0, 0, nil},
			{-1, -1, nil},
			{c.header - 1, len(message), wire.ErrOversized},
			{c.header, len(message) - 1, wire.ErrOversized},
		} {
			if c.header == 0 && l.header == -1 && l.err != nil {
				continue // A bare message has no header to be too large.
			}
			w := newConfig(wire.Binary)
			w.MaxHeader, w.MaxMessage = l.header, l.message
			_, err := w.Decode([]byte(c.data))
			require.ErrorIs(t, err, l.err, "%q, %+v", c.data, l)
			if l.err != nil {
				assert.Equal(t, uint64(1), w.Counters.Figures().Oversized)
			}
		}
	}
}

// Less than zero means no limit, for either part.
func TestNoLimits(t *testing.T) {
	wide := marked(`{"version":1,"unknown":"`+strings.Repeat("x", defaultMaxHeader)+`"}`, `{"ID":7}`)
	w := newConfig(wire.JSON)
	_, err := w.Decode([]byte(wide))
	require.ErrorIs(t, err, wire.ErrOversized)
	w.MaxHeader = -1
	e, err := w.Decode([]byte(wide))
	require.NoError(t, err)
	assert.Equal(t, order{7}, e.Message())

	long := make([]byte, defaultMaxMessage+1)
	sizes := wire.Config[int]{Codec: sizeCodec{}, Counters: new(wire.Counters)}
	_, err = sizes.Decode(long)
	require.ErrorIs(t, err, wire.ErrOversized)
	sizes.MaxMessage = -1
	size, err := sizes.Decode(long)
	require.NoError(t, err)
	assert.Equal(t, len(long), size.Message())
}

// sizeCodec reads how many bytes a message has.
type sizeCodec struct{}

func (sizeCodec) Append(b []byte, size int) ([]byte, error) {
	return append(b, make([]byte, size)...), nil
}
func (sizeCodec) Decode(data []byte) (int, error) { return len(data), nil }

// Nobody looks into a header that is too large: it may be of any version.
func TestOversizedHeadersAreNotRead(t *testing.T) {
	w := newConfig(wire.JSON)
	w.MaxHeader = len(`{"version":22}`) - 1
	_, err := w.Decode([]byte(marked(`{"version":22}`, `{}`)))
	require.ErrorIs(t, err, wire.ErrOversized)
	w.MaxHeader++
	_, err = w.Decode([]byte(marked(`{"version":22}`, `{}`)))
	require.ErrorIs(t, err, wire.ErrVersion)
}

// A writer never lets a message down for what travels with it, but refuses one
// that no reader with its own limit would take.
func TestLimitsOfWriters(t *testing.T) {
	state, err := trace.ParseTraceState("vendor=value")
	require.NoError(t, err)
	ctx := withBaggage(t, trace.ContextWithSpanContext(t.Context(), spanContext(1).WithTraceState(state)), "acme")
	e := envelope.Wrap(ctx, order{7})
	for form, f := range forms {
		last, cuts := 3, map[int]bool{}
		least := 1
		if f == wire.JSON {
			least = len(`{"version":1}`)
		}
		for limit := 400; limit >= least; limit-- {
			w := newConfig(f)
			w.MaxHeader = limit
			data, err := w.Append(nil, e)
			require.NoError(t, err)
			size := bytes.Index(data, []byte(`{"ID":7}`))
			if f == wire.JSON {
				size -= len(`{"waybill:envelope":,"message":`)
			} else {
				size -= 11
			}
			assert.LessOrEqual(t, size, w.MaxHeader, form)
			got, err := w.Decode(data)
			require.NoError(t, err)
			assert.Equal(t, order{7}, got.Message())
			left := 0
			for _, there := range []bool{
				got.Header().SpanContext().IsValid(), got.Header().SpanContext().TraceState().Len() > 0,
				got.Header().Baggage().Len() > 0,
			} {
				if there {
					left++
				}
			}
			assert.LessOrEqual(t, left, last, "%s: %d bytes", form, limit)
			assert.Equal(t, left < 3, w.Counters.Figures().Cut == 1, "%s: %d bytes", form, limit)
			last, cuts[left] = left, true
		}
		assert.Len(t, cuts, 4, "%s: not every step was taken", form)

		for _, wraps := range []bool{true, false} {
			w := newConfig(f)
			w.MaxMessage, w.Wrap = len(`{"ID":7}`), func() bool { return wraps }
			_, err := w.Append(nil, e)
			require.NoError(t, err)
			w.MaxMessage--
			b, err := w.Append([]byte("before"), e)
			require.ErrorIs(t, err, wire.ErrOversized)
			assert.Equal(t, "before", string(b))
		}
	}
}

// Baggage travels as the W3C writes it, which has no way to write some keys.
func TestKeysThatCannotBeWritten(t *testing.T) {
	for _, keys := range [][]string{{"ключ"}, {"ключ", "customer"}, {"customer", "item"}} {
		var bag baggage.Baggage
		for _, key := range keys {
			property, err := baggage.NewKeyValuePropertyRaw("with", "a,b;c")
			require.NoError(t, err)
			m, err := baggage.NewMemberRaw(key, "a,b;c", property)
			require.NoError(t, err)
			bag, err = bag.SetMember(m)
			require.NoError(t, err)
		}
		for form, f := range forms {
			w := newConfig(f)
			h := envelope.NewHeader(baggage.ContextWithBaggage(t.Context(), bag))
			data, err := w.Append(nil, envelope.New(order{7}, h))
			require.NoError(t, err)
			e, err := w.Decode(data)
			require.NoError(t, err)
			lost := bag.Member("ключ").Key() != ""
			assert.Equal(t, lost, e.Header().Baggage().Len() < bag.Len(), "%s, %v", form, keys)
			assert.Equal(t, lost, w.Counters.Figures().Cut == 1, "%s, %v", form, keys)
			assert.Zero(t, w.Counters.Figures().BaggageRefused)
		}
	}
}

// The most that OpenTelemetry allows fits the default limit.
func TestLargestHeaderIsNotCut(t *testing.T) {
	var members []string
	for i := range 32 {
		members = append(members, fmt.Sprintf("%s%02d=%s", strings.Repeat("k", 254), i, strings.Repeat("v", 256)))
	}
	state, err := trace.ParseTraceState(strings.Join(members, ","))
	require.NoError(t, err)
	ctx := trace.ContextWithSpanContext(t.Context(), spanContext(1).WithTraceState(state))
	h := envelope.NewHeader(withBaggage(t, ctx, strings.Repeat("b", 8192-len("customer="))))
	for form, f := range forms {
		w := newConfig(f)
		data, err := w.Append(nil, envelope.New(order{7}, h))
		require.NoError(t, err)
		e, err := w.Decode(data)
		require.NoError(t, err)
		assert.Equal(t, 32, e.Header().SpanContext().TraceState().Len(), form)
		assert.Equal(t, 1, e.Header().Baggage().Len(), form)
		assert.Equal(t, wire.Figures{Wrapped: 1, WrittenWrapped: 1}, w.Counters.Figures(), form)
	}
}

// Readers take no baggage at all that is longer than the W3C allows, which that
// of an application may become once it is written.
func TestBaggageThatNoReaderWouldTake(t *testing.T) {
	for name, c := range map[string]struct {
		members, size, left int
	}{
		"as much as there may be": {64, 100, 64},
		"too many":                {70, 10, 64},
		"too long":                {20, 1000, 8},
		"too long, to the byte":   {4, 2730, 3},
		"too long by itself":      {1, 9000, 0},
	} {
		var bag baggage.Baggage
		for i := range c.members {
			// Each takes its size; without escapes, half of it would do.
			m, err := baggage.NewMemberRaw(fmt.Sprintf("k%02d", i), strings.Repeat(" v", (c.size-4)/4)+strings.Repeat("v", c.size%4))
			require.NoError(t, err)
			bag, err = bag.SetMember(m)
			require.NoError(t, err)
		}
		h := envelope.NewHeader(baggage.ContextWithBaggage(t.Context(), bag))
		for form, f := range forms {
			w := newConfig(f)
			data, err := w.Append(nil, envelope.New(order{7}, h))
			require.NoError(t, err)
			e, err := w.Decode(data)
			require.NoError(t, err)
			got := e.Header().Baggage()
			assert.Equal(t, c.left, got.Len(), "%s: %s", form, name)
			for i := range c.left { // Always the same.
				key := fmt.Sprintf("k%02d", i)
				assert.Equal(t, bag.Member(key).Value(), got.Member(key).Value(), "%s: %s", form, name)
			}
			want := wire.Figures{Wrapped: 1, WrittenWrapped: 1}
			if c.left < c.members {
				want.Cut = 1
			}
			assert.Equal(t, want, w.Counters.Figures(), "%s: %s", form, name)
		}
	}
}
