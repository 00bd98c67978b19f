// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/propagation"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/envelope/wire"
	"github.com/waybill-go/waybill/internal/envelopetest"
)

// chat is a message of the size that services exchange, about 250 bytes of JSON.
type chat struct {
	ID      int64
	Guild   string
	Author  string
	Content string
}

var chatMessage = chat{
	ID: 1, Guild: "a guild", Author: "an author",
	Content: strings.Repeat("what somebody has written ", 7),
}

// wireCase is a way to write messages from a context, and to read them.
type wireCase struct {
	name string
	wire wire.Config[chat]
}

func wireCases() []wireCase {
	bare := func() bool { return false }
	return []wireCase{
		{"bare", wire.Config[chat]{Wrap: bare}},
		{"binary", wire.Config[chat]{}},
		{"JSON", wire.Config[chat]{Form: wire.JSON}},
	}
}

// byHand is what one does without a Config: a JSON object of the message and a
// map that a propagator fills.
type byHand struct {
	Header  propagation.MapCarrier
	Message chat
}

// BenchmarkAppend writes a message: as encoding/json does, with a map of
// headers, and by a Config.
func BenchmarkAppend(b *testing.B) {
	b.Run("encoding/json", func(b *testing.B) {
		b.ReportAllocs()
		size := 0
		for b.Loop() {
			data, _ := json.Marshal(chatMessage)
			size += len(data)
		}
		require.Positive(b, size)
	})
	propagator := propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})
	for name, ctx := range envelopetest.Senders(b) {
		b.Run("by_hand/"+name, func(b *testing.B) {
			b.ReportAllocs()
			size := 0
			for b.Loop() {
				carrier := propagation.MapCarrier{}
				propagator.Inject(ctx, carrier)
				data, _ := json.Marshal(byHand{carrier, chatMessage})
				size += len(data)
			}
			require.Positive(b, size)
		})
		for _, w := range wireCases() {
			b.Run(w.name+"/"+name, func(b *testing.B) {
				buffer := make([]byte, 0, 4096)
				b.ReportAllocs()
				for b.Loop() {
					buffer, _ = w.wire.Append(buffer[:0], envelope.Wrap(ctx, chatMessage))
				}
				require.NotEmpty(b, buffer)
			})
		}
	}
}

// BenchmarkDecode reads a message back, into a context.
func BenchmarkDecode(b *testing.B) {
	plain, err := json.Marshal(chatMessage)
	require.NoError(b, err)
	b.Run("encoding/json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var m chat
			if json.Unmarshal(plain, &m) != nil || m.ID != 1 {
				b.Fatal("not read")
			}
		}
	})
	propagator := propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})
	for name, ctx := range envelopetest.Senders(b) {
		b.Run("by_hand/"+name, func(b *testing.B) {
			carrier := propagation.MapCarrier{}
			propagator.Inject(ctx, carrier)
			data, err := json.Marshal(byHand{carrier, chatMessage})
			require.NoError(b, err)
			b.ReportAllocs()
			for b.Loop() {
				var m byHand
				if json.Unmarshal(data, &m) != nil || m.Message.ID != 1 {
					b.Fatal("not read")
				}
				_ = propagator.Extract(b.Context(), m.Header)
			}
		})
		for _, w := range wireCases() {
			b.Run(w.name+"/"+name, func(b *testing.B) {
				data, err := w.wire.Append(nil, envelope.Wrap(ctx, chatMessage))
				require.NoError(b, err)
				base := envelope.Untraced(b.Context())
				b.ReportAllocs()
				for b.Loop() {
					e, err := w.wire.Decode(data)
					_, m := e.Unwrap(base)
					if err != nil || m.ID != 1 {
						b.Fatal("not read")
					}
				}
			})
		}
	}
}

// BenchmarkAlone is without what a message costs its codec, written and
// read.
func BenchmarkAlone(b *testing.B) {
	for name, ctx := range envelopetest.Senders(b) {
		for form, f := range forms {
			w := wire.Config[order]{Codec: plain{}, Form: f}
			b.Run(form+"/"+name, func(b *testing.B) {
				var buffer []byte
				e := envelope.Wrap(ctx, order{7})
				b.ReportAllocs()
				n := 0
				for b.Loop() {
					buffer, _ = w.Append(buffer[:0], e)
					got, _ := w.Decode(buffer)
					n += got.Message().ID
				}
				require.Equal(b, 7*b.N, n)
			})
		}
	}
}
