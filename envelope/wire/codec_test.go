// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/envelope/wire"
)

// testCodec checks what Codec asks of its implementations: bare is what plain
// would have written, encoding appends, and decoding neither changes the bytes
// nor keeps them.
func testCodec[M any](t *testing.T, codec wire.Codec[M], message M, plain []byte) {
	t.Helper()
	data, err := codec.Append([]byte("before"), message)
	require.NoError(t, err)
	assert.Equal(t, "before"+string(plain), string(data))

	got, err := codec.Decode(plain)
	require.NoError(t, err)
	assert.Equal(t, message, got)
	for i := range plain {
		plain[i] ^= 0xff
	}
	assert.Equal(t, message, got, "it keeps a part of the bytes")
}

type parcel struct {
	Name  string
	Parts []string
	Raw   []byte
}

func TestCodecs(t *testing.T) {
	p := parcel{Name: "a <lamp>", Parts: []string{"shade", "bulb"}, Raw: []byte{1, 2, 3}}
	plain, err := json.Marshal(p)
	require.NoError(t, err)
	testCodec(t, wire.JSONCodec[parcel](), p, bytes.Clone(plain))
	testCodec(t, wire.JSONCodec[*parcel](), &p, bytes.Clone(plain))
	testCodec(t, wire.JSONCodec[json.RawMessage](), plain, bytes.Clone(plain))
	testCodec(t, wire.BytesCodec[[]byte](), []byte("a lamp"), []byte("a lamp"))
	testCodec(t, wire.BytesCodec[string](), "a lamp", []byte("a lamp"))

	var buffer bytes.Buffer
	require.NoError(t, gob.NewEncoder(&buffer).Encode(p))
	testCodec(t, wire.GobCodec[parcel](), p, bytes.Clone(buffer.Bytes()))
	testCodec(t, wire.GobCodec[*parcel](), &p, bytes.Clone(buffer.Bytes()))
}

func TestGobOfAnInterface(t *testing.T) {
	gob.Register(order{})
	codec := wire.GobCodec[any]()
	data, err := codec.Append(nil, order{7})
	require.NoError(t, err)
	m, err := codec.Decode(data)
	require.NoError(t, err)
	assert.Equal(t, order{7}, m)
}

func TestCodecErrors(t *testing.T) {
	_, err := wire.JSONCodec[func()]().Append(nil, nil)
	require.Error(t, err)
	_, err = wire.GobCodec[func()]().Append(nil, nil)
	require.Error(t, err)
	_, err = wire.GobCodec[*parcel]().Append(nil, nil) // Else gob would write a zero parcel.
	require.ErrorContains(t, err, "nil pointer")
	_, err = wire.GobCodec[[]*parcel]().Append(nil, []*parcel{nil})
	require.Error(t, err)

	for _, data := range []string{"", "{", `{"ID":7} {}`, `{"ID":"7"}`} {
		_, err = wire.JSONCodec[order]().Decode([]byte(data))
		require.Error(t, err, data)
	}
	whole, err := wire.GobCodec[order]().Append(nil, order{7})
	require.NoError(t, err)
	for n := range whole {
		_, err = wire.GobCodec[order]().Decode(whole[:n])
		require.Error(t, err, "%d bytes", n)
	}
	_, err = wire.GobCodec[order]().Decode(append(whole, whole...))
	require.ErrorContains(t, err, fmt.Sprintf("%d bytes after the message", len(whole)))
	_, err = wire.GobCodec[order]().Decode([]byte(strings.Repeat("\xff", 100)))
	require.Error(t, err)
}

// No codec here writes what a reader would take for a wrapped message.
func TestBareMessagesAreNotMistaken(t *testing.T) {
	for _, m := range []order{{0}, {-1}, {1 << 30}} {
		for name, codec := range map[string]wire.Codec[order]{
			"JSON": wire.JSONCodec[order](), "gob": wire.GobCodec[order](),
		} {
			w := wire.Config[order]{Codec: codec, Wrap: func() bool { return false }, Counters: new(wire.Counters)}
			data, err := w.Append(nil, envelope.Bare(m))
			require.NoError(t, err)
			e, err := w.Decode(data)
			require.NoError(t, err)
			assert.Equal(t, m, e.Message(), name)
			assert.Equal(t, uint64(1), w.Counters.Figures().Bare, name)
		}
	}
}

// Order is the message of the examples.
type Order struct{ Item string }

func ExampleJSONCodec() {
	data, err := wire.JSONCodec[Order]().Append(nil, Order{"a lamp"})
	fmt.Println(string(data), err)
	// Output: {"Item":"a lamp"} <nil>
}

func ExampleGobCodec() {
	orders := wire.Config[Order]{Codec: wire.GobCodec[Order]()}
	data, err := orders.Append(nil, envelope.Bare(Order{"a lamp"}))
	if err != nil {
		fmt.Println(err)
	}
	e, err := orders.Decode(data)
	fmt.Println(e.Message().Item, err)
	// Output: a lamp <nil>
}

func ExampleBytesCodec() {
	// The application has its own way of making bytes of its messages.
	uploads := wire.Config[[]byte]{Codec: wire.BytesCodec[[]byte]()}
	data, err := uploads.Append(nil, envelope.Bare([]byte("a lamp")))
	fmt.Printf("%q %v\n", data, err)
	// Output: "\xf7WB\xf6\x01\x00\x00\x00\x00\x00\x06a lamp" <nil>
}
