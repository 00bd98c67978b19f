// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package grpcstream_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/envelope/wire"
	"github.com/waybill-go/waybill/propagate"
	"github.com/waybill-go/waybill/propagate/grpcstream"
)

// field returns a field with that content.
func field(content []byte) []byte {
	return protowire.AppendBytes(slices.Clone(grpcstream.FieldTag), content)
}

// content returns the content of a field with the header of ctx and those bytes behind it.
func content(t testing.TB, ctx context.Context, behind []byte) []byte {
	t.Helper()
	data, err := wire.Config[[]byte]{Codec: wire.BytesCodec[[]byte]()}.Append(nil, envelope.Wrap(ctx, behind))
	require.NoError(t, err)
	return data
}

// waited returns a time of waiting as bytes.
func waited(ns uint64) []byte { return binary.BigEndian.AppendUint64(nil, ns) }

// with returns a message that has these unknown fields.
func with(unknown ...[]byte) *note {
	m := text("hello")
	m.ProtoReflect().SetUnknown(bytes.Join(unknown, nil))
	return m
}

func TestHostileFields(t *testing.T) {
	good := content(t, sampledContext(t), waited(5))
	other := protowire.AppendVarint(protowire.AppendTag(nil, 77, protowire.VarintType), 1)
	tag := func(kind protowire.Type) []byte { return protowire.AppendTag(nil, grpcstream.FieldNumber, kind) }
	for name, tt := range map[string]struct {
		message *note
		traced  bool
		want    grpcstream.Counts
		left    []byte
	}{
		"good":               {with(field(good)), true, grpcstream.Counts{Wrapped: 1}, nil},
		"none":               {with(), false, grpcstream.Counts{Bare: 1}, nil},
		"another field":      {with(other), false, grpcstream.Counts{Bare: 1}, other},
		"before others":      {with(field(good), other, other), true, grpcstream.Counts{Wrapped: 1}, append(slices.Clone(other), other...)},
		"between others":     {with(other, field(good), other), true, grpcstream.Counts{Wrapped: 1}, append(slices.Clone(other), other...)},
		"behind others":      {with(other, field(good)), true, grpcstream.Counts{Wrapped: 1}, other},
		"twice":              {with(field(good), field(good)), false, grpcstream.Counts{Wrapped: 1, Malformed: 1}, nil},
		"twice, one apart":   {with(field(good), other, field(good)), false, grpcstream.Counts{Wrapped: 1, Malformed: 1}, other},
		"empty":              {with(field(nil)), false, grpcstream.Counts{Wrapped: 1, Malformed: 1}, nil},
		"text":               {with(field([]byte("hello"))), false, grpcstream.Counts{Wrapped: 1, Malformed: 1}, nil},
		"cut off":            {with(field(good[:len(good)-9])), false, grpcstream.Counts{Wrapped: 1, Malformed: 1}, nil},
		"too long":           {with(field(append(slices.Clone(good), 0))), false, grpcstream.Counts{Wrapped: 1, Malformed: 1}, nil},
		"huge":               {with(field(make([]byte, 1<<20))), false, grpcstream.Counts{Wrapped: 1, Malformed: 1}, nil},
		"huge behind header": {with(field(content(t, sampledContext(t), make([]byte, 1<<20)))), false, grpcstream.Counts{Wrapped: 1, Malformed: 1}, nil},
		"a number":           {with(protowire.AppendVarint(tag(protowire.VarintType), 7)), false, grpcstream.Counts{Wrapped: 1, Malformed: 1}, nil},
		"a group": {
			with(tag(protowire.StartGroupType), other, tag(protowire.EndGroupType)), false,
			grpcstream.Counts{Wrapped: 1, Malformed: 1}, nil,
		},
		"no time of waiting":    {with(field(content(t, sampledContext(t), nil))), true, grpcstream.Counts{Wrapped: 1, Dropped: 1}, nil},
		"waited for centuries":  {with(field(content(t, sampledContext(t), waited(math.MaxUint64)))), true, grpcstream.Counts{Wrapped: 1, Dropped: 1}, nil},
		"later versions' field": {with(field(content(t, sampledContext(t), append(waited(5), 1, 2, 3)))), true, grpcstream.Counts{Wrapped: 1}, nil},
		"untraced":              {with(field(content(t, t.Context(), waited(0)))), false, grpcstream.Counts{Wrapped: 1}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			provider, spans := newProvider(t)
			counters := new(grpcstream.Counters)
			data, err := proto.Marshal(tt.message)
			require.NoError(t, err)
			m := new(note)
			require.NoError(t, proto.Unmarshal(data, m))
			handled := 0
			r := grpcstream.NewReceiver(one(t, m), "handle", grpcstream.WithTracerProvider(provider), grpcstream.WithCounters(counters))
			for ctx, m := range r.Receive() {
				handled++
				assert.Equal(t, "hello", m.Value)
				assert.Equal(t, tt.traced, trace.SpanContextFromContext(ctx).IsSampled())
				assert.Equal(t, !tt.traced, envelope.IsSentinel(trace.SpanContextFromContext(ctx)))
				assert.Equal(t, string(tt.left), string(m.ProtoReflect().GetUnknown()))
			}
			assert.Equal(t, 1, handled, "no message is lost")
			assert.Equal(t, tt.want, counters.Counts())
			for _, span := range spans.Ended() {
				for _, wait := range []string{"waybill.queue.duration", "waybill.network.duration"} {
					seconds := attributes(span.Attributes())[wait].AsFloat64()
					assert.GreaterOrEqual(t, seconds, 0.0)
					assert.Less(t, seconds, 3600.0)
				}
			}
		})
	}
}

// A message that its sender has sent in the future, by this machine's clock, has waited for
// nothing on its way. What it waited with its sender is not touched.
func TestWaitsAreNeverNegative(t *testing.T) {
	for name, tt := range map[string]struct {
		sent        time.Duration // from now
		queued      time.Duration
		least, most float64 // of the network, in seconds
	}{
		"as it should be":    {-3 * time.Minute, time.Minute, 119, 180},
		"sent in the future": {time.Hour, time.Minute, 0, 0},
		"waited too long":    {-time.Second, time.Minute, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			provider, spans := newProvider(t)
			h := envelope.NewHeader(sampledContext(t)).WithSentAt(time.Now().Add(tt.sent))
			data, err := wire.Config[[]byte]{Codec: wire.BytesCodec[[]byte]()}.Append(nil, envelope.New(waited(uint64(tt.queued)), h))
			require.NoError(t, err)
			collect(grpcstream.NewReceiver(one(t, with(field(data))), "handle", grpcstream.WithTracerProvider(provider)))
			require.Len(t, spans.Ended(), 1)
			waits := attributes(spans.Ended()[0].Attributes())
			assert.Equal(t, 60.0, waits["waybill.queue.duration"].AsFloat64())
			assert.GreaterOrEqual(t, waits["waybill.network.duration"].AsFloat64(), tt.least)
			assert.LessOrEqual(t, waits["waybill.network.duration"].AsFloat64(), tt.most)
		})
	}
}

// What a stranger says is continued, linked or ignored, and no weight of a stranger's
// comes in unless it is believed.
func TestBoundary(t *testing.T) {
	state, err := trace.ParseTraceState("waybill=w:1000000")
	require.NoError(t, err)
	stranger := trace.ContextWithSpanContext(t.Context(), spanContext(1).WithTraceState(state))
	for policy, want := range map[propagate.Policy]struct{ traced, root, linked bool }{
		propagate.Continue: {traced: true},
		propagate.Link:     {traced: true, root: true, linked: true},
		propagate.Ignore:   {},
	} {
		provider, spans := newProvider(t)
		boundary := propagate.Boundary{
			Policy: policy,
			Propagator: propagation.NewCompositeTextMapPropagator(
				propagate.TraceContext{}, propagate.Baggage{Allow: []string{"tenant"}}),
			Counters: new(propagate.Counters),
		}
		ctx := stranger
		for _, pair := range []string{"tenant=acme", "admin=yes"} {
			key, value, _ := strings.Cut(pair, "=")
			member, err := baggage.NewMemberRaw(key, value)
			require.NoError(t, err)
			bag, err := baggage.FromContext(ctx).SetMember(member)
			require.NoError(t, err)
			ctx = baggage.ContextWithBaggage(ctx, bag)
		}
		r := grpcstream.NewReceiver(one(t, with(field(content(t, ctx, waited(5))))), "handle",
			grpcstream.WithBoundary(boundary), grpcstream.WithTracerProvider(boundary.TracerProvider(provider)))
		for ctx := range r.Receive() {
			assert.Equal(t, "tenant=acme", baggage.FromContext(ctx).String())
		}
		if !want.traced {
			assert.Empty(t, spans.Ended())
			continue
		}
		require.Len(t, spans.Ended(), 1)
		span := spans.Ended()[0]
		assert.Equal(t, want.root, !span.Parent().IsValid())
		assert.Len(t, span.Links(), map[bool]int{true: 1}[want.linked])
		if want.root {
			assert.NotEqual(t, spanContext(1).TraceID(), span.SpanContext().TraceID())
			assert.Empty(t, span.Attributes(), "a stranger's times and weights are not believed")
			assert.Zero(t, span.SpanContext().TraceState().Len())
		}
	}
}

// FuzzExtract takes any bytes for unknown fields. Its oracle reads them one by one.
func FuzzExtract(f *testing.F) {
	f.Add([]byte{})
	f.Add(field([]byte("hello")))
	f.Add(append(field(nil), field(content(f, context.Background(), waited(5)))...))
	f.Add(protowire.AppendVarint(protowire.AppendTag(field(nil), 7, protowire.VarintType), 1))
	f.Fuzz(func(t *testing.T, unknown []byte) {
		before := slices.Clone(unknown)
		rest, value, found, ok := grpcstream.Extract(unknown)
		assert.Equal(t, before, unknown, "it changes nothing")

		var wantRest, wantValue []byte
		wantFound, left := 0, unknown
		for len(left) > 0 {
			number, kind, size := protowire.ConsumeField(left)
			if size < 0 {
				assert.False(t, ok)
				return
			}
			if number == grpcstream.FieldNumber {
				wantFound++
				wantValue = nil
				if kind == protowire.BytesType {
					_, _, tag := protowire.ConsumeTag(left)
					wantValue, _ = protowire.ConsumeBytes(left[tag:])
				}
			} else {
				wantRest = append(wantRest, left[:size]...)
			}
			left = left[size:]
		}
		assert.True(t, ok)
		assert.Equal(t, wantFound, found)
		assert.Equal(t, string(wantValue), string(value))
		assert.Equal(t, wantValue == nil, value == nil)
		assert.Equal(t, string(wantRest), string(rest))
		rest = append(rest, 1) // Whoever appends to the rest does not write over the field.
		assert.Equal(t, before, unknown)
		_ = rest
	})
}

// FuzzReceive takes any bytes for the content of the field.
func FuzzReceive(f *testing.F) {
	f.Add([]byte("hello"))
	f.Add(content(f, context.Background(), waited(5)))
	f.Add(content(f, trace.ContextWithSpanContext(context.Background(), spanContext(1)), waited(5)))
	f.Fuzz(func(t *testing.T, data []byte) {
		counters := new(grpcstream.Counters)
		m := with(field(data))
		r := grpcstream.NewReceiver(one(t, m), "handle", grpcstream.WithCounters(counters))
		handled := 0
		for ctx := range r.Receive() {
			handled++
			assert.True(t, trace.SpanContextFromContext(ctx).IsValid(), "a trace or a sentinel")
		}
		assert.Equal(t, 1, handled)
		assert.Empty(t, m.ProtoReflect().GetUnknown())
		counts := counters.Counts()
		assert.EqualValues(t, 1, counts.Wrapped)
		assert.LessOrEqual(t, counts.Malformed, uint64(1))
	})
}
