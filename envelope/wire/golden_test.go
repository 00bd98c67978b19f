// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/envelope/wire"
)

// golden returns a file of testdata/golden, the bytes that it stands for if it has
// them in hexadecimal, and the form they are in.
func golden(t testing.TB, name string) ([]byte, wire.Form) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "golden", name))
	require.NoError(t, err)
	if strings.HasSuffix(name, ".json") {
		return data, wire.JSON
	}
	var digits strings.Builder
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "#")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	data, err = hex.DecodeString(digits.String())
	require.NoError(t, err)
	return data, wire.Binary
}

// assertAll checks what the golden messages with all fields say.
func assertAll(t *testing.T, h *envelope.Header) {
	t.Helper()
	state, err := trace.ParseTraceState(`waybill=w:2,vendor=a"b\c`)
	require.NoError(t, err)
	assert.Equal(t, spanContext(3).WithTraceState(state).WithRemote(true), h.SpanContext())
	assert.Equal(t, "ac me", h.Baggage().Member("customer").Value())
	assert.Equal(t, "2026-01-02T03:04:05.000000006Z", h.SentAt().UTC().Format(time.RFC3339Nano))
	assert.Equal(t, 3, inner(h).Hops())
	assert.Equal(t, 1500*time.Millisecond, inner(h).Age())
	assert.True(t, inner(h).SampledByFanout())
	assert.True(t, inner(h).Linked())
}

// TestReleasedFormsStay reads and writes the bytes of every form that has been
// released: what is in a queue or a file must stay readable, and what is read
// elsewhere must not change. A file here is never edited.
func TestReleasedFormsStay(t *testing.T) {
	for stem, check := range map[string]func(h *envelope.Header){
		"all": func(h *envelope.Header) { assertAll(t, h) },
		"trace": func(h *envelope.Header) {
			assert.Equal(t, spanContext(trace.FlagsSampled).WithRemote(true), h.SpanContext())
			assert.Equal(t, int64(1767323045000000006), h.SentAt().UnixNano())
			assert.Equal(t, 1, inner(h).Hops())
			assert.Zero(t, inner(h).Age())
			assert.False(t, inner(h).SampledByFanout())
		},
		"baggage": func(h *envelope.Header) {
			assert.Equal(t, "ac me", h.Baggage().Member("customer").Value())
			assert.False(t, h.SpanContext().IsValid())
		},
		"nothing": func(h *envelope.Header) { assert.Nil(t, h) },
	} {
		for _, file := range []string{"binary-1-" + stem + ".hex", "json-1-" + stem + ".json"} {
			data, form := golden(t, file)
			w := newConfig(form)
			e, err := w.Decode(data)
			require.NoError(t, err, file)
			assert.Equal(t, order{7}, e.Message(), file)
			check(e.Header())

			again, err := w.Append(nil, e)
			require.NoError(t, err)
			assert.Equal(t, string(data), string(again), file)
			assert.Equal(t, wire.Figures{Wrapped: 1, WrittenWrapped: 1}, w.Counters.Figures(), file)
		}
	}
}

// TestWhatTheBinaryFormAdds is what the comment of wire.Binary says.
func TestWhatTheBinaryFormAdds(t *testing.T) {
	for file, added := range map[string]int{"binary-1-nothing.hex": 11, "binary-1-trace.hex": 65} {
		data, _ := golden(t, file)
		assert.Len(t, data, added+len(`{"ID":7}`), file)
	}
}

// TestFutureFormsAreReadOrRefused reads what later versions of this library
// could write: additions are skipped, and what an old reader would get wrong it
// refuses.
func TestFutureFormsAreReadOrRefused(t *testing.T) {
	for _, extension := range []string{".hex", ".json"} {
		data, form := golden(t, "future-field"+extension)
		w := newConfig(form)
		e, err := w.Decode(data)
		require.NoError(t, err)
		assert.Equal(t, order{7}, e.Message())
		assertAll(t, e.Header())
		assert.Equal(t, wire.Figures{Wrapped: 1}, w.Counters.Figures())

		for _, name := range []string{"future-critical", "future-version"} {
			data, form := golden(t, name+extension)
			w := newConfig(form)
			_, err := w.Decode(data)
			require.ErrorIs(t, err, wire.ErrVersion, name+extension)
			assert.Equal(t, wire.Figures{Wrapped: 1, UnknownVersion: 1}, w.Counters.Figures(), name+extension)
		}
	}
}
