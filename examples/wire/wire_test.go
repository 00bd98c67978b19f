// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/envelope/wire"
	"github.com/waybill-go/waybill/examples/guild/guildpb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))
	assert.Equal(t, "ada: hello (in a trace: false)\nada: hello again (in a trace: true)\n1 bare, 1 wrapped\n", out.String())
}

func TestReceiveRefusesWhatIsTooLarge(t *testing.T) {
	require.ErrorContains(t, receive(t.Context(), strings.NewReader("\xff\xff\xff\xff"), &bytes.Buffer{}), "4294967295 bytes")
}

func message() *guildpb.PublishRequest {
	return &guildpb.PublishRequest{GuildId: 7, MessageId: 1 << 40, Author: "ada", Content: strings.Repeat("é", 100)}
}

func traced(t *testing.T) envelope.Envelope[*guildpb.PublishRequest] {
	t.Helper()
	return envelope.Wrap(trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled,
	})), message())
}

func TestProtoCodec(t *testing.T) {
	requests := NewProtoConfig[guildpb.PublishRequest]()
	bare, err := proto.Marshal(message())
	require.NoError(t, err)
	wrapped, err := requests.Append(nil, traced(t))
	require.NoError(t, err)
	assert.True(t, bytes.HasSuffix(wrapped, bare), "wrapped is bare with something in front")

	for _, data := range [][]byte{bare, wrapped} {
		e, err := requests.Decode(data)
		require.NoError(t, err)
		assert.True(t, proto.Equal(message(), e.Message()))
		assert.Equal(t, &data[0] == &wrapped[0], e.Header().Sampled())

		_, err = requests.Decode(data[:len(data)-1])
		require.Error(t, err)
	}
	_, err = requests.Decode([]byte{0xff})
	require.ErrorIs(t, err, wire.ErrCodec)
	_, err = requests.Append(nil, envelope.Bare(&guildpb.PublishRequest{Author: "\xff"})) // No UTF-8.
	require.ErrorIs(t, err, wire.ErrCodec)
}

// An old reader, which knows nothing of envelopes, cannot take a wrapped message
// for one of its own: no message of Protocol Buffers begins as one.
func TestOldReadersRefuseWrappedMessages(t *testing.T) {
	wrapped, err := NewProtoConfig[guildpb.PublishRequest]().Append(nil, traced(t))
	require.NoError(t, err)
	require.Error(t, proto.Unmarshal(wrapped, &guildpb.PublishRequest{}))
}

// jsonCodec writes the same messages as JSON, for the JSON form.
type jsonCodec struct{}

func (jsonCodec) Append(b []byte, m *guildpb.PublishRequest) ([]byte, error) {
	return protojson.MarshalOptions{}.MarshalAppend(b, m)
}

func (jsonCodec) Decode(data []byte) (*guildpb.PublishRequest, error) {
	m := new(guildpb.PublishRequest)
	return m, protojson.Unmarshal(data, m)
}

func TestProtoJSONInTheJSONForm(t *testing.T) {
	requests := wire.Config[*guildpb.PublishRequest]{Codec: jsonCodec{}, Form: wire.JSON}
	wrapped, err := requests.Append(nil, traced(t))
	require.NoError(t, err)
	bare, err := protojson.Marshal(message())
	require.NoError(t, err)
	for _, data := range [][]byte{bare, wrapped} {
		e, err := requests.Decode(data)
		require.NoError(t, err)
		assert.True(t, proto.Equal(message(), e.Message()))
		assert.Equal(t, &data[0] == &wrapped[0], e.Header().Sampled())
	}
}
