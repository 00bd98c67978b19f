// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/envelope/wire"
)

func never() bool { return false }

// forged are messages that users chose and readers take for wrapped ones, some of
// which they could open.
var forged = []string{
	frame("", "{}"), frame(field(1, wireIDs+"\x01"), `{"ID":7}`), "\xf7WB\xf6", "\xf7WB\xf6\x09", "\xf7WB\xf6 is our greeting",
	marked(`{"version":1,`+wireParent+`}`, `{"ID":7}`), marked(`1`, `{}`),
	`{"waybill:envelope":null}`, ` {"a":1, "waybill:envelope": {"version":2}}`,
	`{"waybill:envelope":"` + string(bytes.Repeat([]byte("x"), defaultMaxHeader)) + `"}`,
}

// TestBareWritersRefuseWhatReadsAsWrapped has messages that a reader of the same
// Config would open as envelopes, or refuse as broken ones.
func TestBareWritersRefuseWhatReadsAsWrapped(t *testing.T) {
	for _, message := range forged {
		w := wire.Config[string]{
			Codec: wire.BytesCodec[string](), Form: wire.JSON, Wrap: never, Counters: new(wire.Counters),
		}
		b, err := w.Append([]byte("before"), envelope.Bare(message))
		require.ErrorIs(t, err, wire.ErrAmbiguous, "%.60q", message)
		assert.Equal(t, "before", string(b))
		assert.Zero(t, w.Counters.Figures(), "%.60q", message)

		w.Form, w.Wrap = wire.Binary, nil
		b, err = w.Append(nil, envelope.Bare(message))
		require.NoError(t, err)
		e, err := w.Decode(b)
		require.NoError(t, err, "inside a wrapped message nothing is looked for")
		assert.Equal(t, message, e.Message())
	}
}

// A user's key in a map is no reason to open it as an envelope, in whatever form
// this Config wraps others: a codec of JSON is enough to look for it.
func TestKeysOfUsersAreNoEnvelopes(t *testing.T) {
	type object = map[string]any
	for form, f := range forms {
		w := wire.Config[object]{Form: f, Wrap: never}
		_, err := w.Append(nil, envelope.Bare(object{"waybill:envelope": object{"version": 1}, "message": object{}}))
		require.ErrorIs(t, err, wire.ErrAmbiguous, form)
		for _, fine := range []object{
			{"a": object{"waybill:envelope": 1.0}}, {"waybill": "envelope"}, {"a": "\"waybill:envelope\":{}"}, nil,
		} {
			data, err := w.Append(nil, envelope.Bare(fine))
			require.NoError(t, err, form)
			e, err := w.Decode(data)
			require.NoError(t, err, form)
			assert.Equal(t, fine, e.Message(), form)
		}
	}
	w := wire.Config[[]byte]{Codec: wire.BytesCodec[[]byte](), Wrap: never}
	data, err := w.Append(nil, envelope.Bare([]byte(`{"waybill:envelope":{}}`)))
	require.NoError(t, err, "nobody looks for JSON here")
	e, err := w.Decode(data)
	require.NoError(t, err)
	assert.JSONEq(t, `{"waybill:envelope":{}}`, string(e.Message()))
}

func TestConfigsThatCannotWorkAreRefused(t *testing.T) {
	smallest := len(`{"version":1}`)
	for _, c := range []struct {
		wire wire.Config[order]
		err  error
	}{
		{wire.Config[order]{}, nil},
		{wire.Config[order]{Form: wire.JSON, Accept: wire.WrappedOnly}, nil},
		{wire.Config[order]{Form: wire.JSON, MaxHeader: -1, MaxMessage: -1}, nil},
		{wire.Config[order]{Form: wire.JSON, MaxHeader: smallest}, nil},
		{wire.Config[order]{MaxHeader: 1}, nil},
		{wire.Config[order]{Form: wire.JSON, MaxHeader: smallest - 1}, wire.ErrConfig},
		{wire.Config[order]{Form: wire.JSON, MaxHeader: 1, Wrap: never}, wire.ErrConfig},
		{wire.Config[order]{Form: wire.JSON + 1}, wire.ErrConfig},
		{wire.Config[order]{Accept: wire.WrappedOnly + 1}, wire.ErrConfig},
	} {
		require.ErrorIs(t, c.wire.Validate(), c.err, "%+v", c.wire)
		e := envelope.Wrap(trace.ContextWithSpanContext(t.Context(), spanContext(trace.FlagsSampled)), order{7})
		data, err := c.wire.Append([]byte("b"), e)
		require.ErrorIs(t, err, c.err, "%+v", c.wire)
		if c.err != nil {
			assert.Equal(t, "b", string(data))
			data = append(data, `{"ID":7}`...)
		}
		got, err := c.wire.Decode(data[1:])
		require.ErrorIs(t, err, c.err, "%+v", c.wire)
		if c.err == nil {
			assert.Equal(t, order{7}, got.Message(), "%+v", c.wire)
		}
	}
}

// FuzzWriterIsRead writes any message, bare and wrapped, in every form and with any
// limits: each is refused, or read by the same Config as it was written.
func FuzzWriterIsRead(f *testing.F) {
	for _, message := range append([]string{"", "{}", ` {"a":[1]} `, "null", "\xff"}, forged...) {
		if len(message) > 1000 {
			continue // The fuzzer would do nothing but make it smaller.
		}
		f.Add([]byte(message), 0, 0)
		f.Add([]byte(message), len(`{"version":1}`), len(message))
		f.Add([]byte(message), 60, len(message)-1)
	}
	ctx := trace.ContextWithSpanContext(f.Context(), spanContext(trace.FlagsSampled))
	f.Fuzz(func(t *testing.T, message []byte, maxHeader, maxMessage int) {
		for i := range 24 {
			w := wire.Config[json.RawMessage]{
				Form: wire.Form(i % 2), Wrap: func() bool { return i%4 < 2 },
				MaxHeader: maxHeader, MaxMessage: maxMessage, Counters: new(wire.Counters),
			}
			if i%8 < 4 {
				w.Codec = wire.BytesCodec[json.RawMessage]()
			}
			switch {
			case i < 8:
			case w.Wrap():
				w.Accept = wire.WrappedOnly
			default:
				w.Accept = wire.BareOnly
			}
			h := envelope.NewHeader(ctx)
			data, err := w.Append(nil, envelope.New(json.RawMessage(message), h))
			if err != nil {
				continue
			}
			e, err := w.Decode(data)
			require.NoError(t, err, "%+v", w)
			require.Equal(t, asWritten(w, message), string(e.Message()), "%+v", w)
			if w.Wrap() && w.Counters.Figures().Cut == 0 {
				assertTravelled(t, inner(h), inner(e.Header()))
			} else {
				require.Nil(t, e.Header(), "%+v", w)
			}
		}
	})
}

// asWritten returns what w writes of a message: a codec of JSON writes it as
// [json.Marshal] does, and the JSON form none of the white space around it.
func asWritten(w wire.Config[json.RawMessage], message []byte) string {
	if w.Codec != wire.BytesCodec[json.RawMessage]() {
		data, _ := json.Marshal(json.RawMessage(message))
		return string(data)
	}
	if w.Form == wire.JSON && w.Wrap() {
		return string(bytes.Trim(message, " \t\r\n"))
	}
	return string(message)
}
