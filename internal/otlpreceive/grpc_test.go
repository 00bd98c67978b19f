// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package otlpreceive_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	logs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	metrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	traces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	"github.com/waybill-go/waybill/internal/otlpreceive"
)

type sdkSpan = sdktrace.ReadOnlySpan

const exportTraces = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

// bytesCodec sends bytes as they are.
type bytesCodec struct{}

func (bytesCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

func (bytesCodec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

func (bytesCodec) Name() string { return "proto" }

func dial(t *testing.T, address string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, conn.Close()) })
	return conn
}

// send calls a method with a body of bytes.
func send(t *testing.T, conn *grpc.ClientConn, method string, body []byte, options ...grpc.CallOption) error {
	t.Helper()
	var answer []byte
	return conn.Invoke(t.Context(), method, body, &answer, append(options, grpc.ForceCodecV2(bytesCodec{}))...)
}

func TestMetricsAndLogsOverGRPCAreThrownAway(t *testing.T) {
	r := otlpreceive.New(func([]sdkSpan) { t.Error("these are no spans") }, quiet)
	conn := dial(t, serveGRPC(t, r))
	m, err := metrics.NewMetricsServiceClient(conn).Export(t.Context(), &metrics.ExportMetricsServiceRequest{})
	require.NoError(t, err)
	assert.Zero(t, m.GetPartialSuccess().GetRejectedDataPoints())
	l, err := logs.NewLogsServiceClient(conn).Export(t.Context(), &logs.ExportLogsServiceRequest{})
	require.NoError(t, err)
	assert.Zero(t, l.GetPartialSuccess().GetRejectedLogRecords())
	assert.NoError(t, send(t, conn, "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export", nil))
	assert.Equal(t, otlpreceive.Counts{Metrics: 1, Logs: 1, Profiles: 1}, r.Counts())
	_, err = traces.NewTraceServiceClient(conn).Export(t.Context(), &traces.ExportTraceServiceRequest{})
	assert.NoError(t, err, "a request without spans")
}

func TestHostileCallsAreRefused(t *testing.T) {
	r := otlpreceive.New(func([]sdkSpan) { t.Error("a hostile request was taken") }, quiet)
	r.SetPatience(time.Minute, time.Minute) // The client compresses after it has begun to send.
	conn := dial(t, serveGRPC(t, r))
	bomb := make([]byte, 40<<20)
	for name, test := range map[string]struct {
		body    []byte
		options []grpc.CallOption
		want    codes.Code
	}{
		"malformed":       {[]byte("\xff"), nil, codes.InvalidArgument},
		"long":            {bomb[:otlpreceive.MaxRequest+1], nil, codes.ResourceExhausted},
		"a bomb":          {bomb, []grpc.CallOption{grpc.UseCompressor("gzip")}, codes.ResourceExhausted},
		"large in memory": {asProto(t, manySpans(100_000)), nil, codes.ResourceExhausted},
	} {
		assert.Equal(t, test.want, status.Code(send(t, conn, exportTraces, test.body, test.options...)), name)
	}
	assert.Eventually(t, func() bool { // gRPC answers before we count where it refuses itself.
		return r.Counts().Refused == 4
	}, time.Minute, time.Millisecond)
	assert.Equal(t, codes.Unimplemented, status.Code(send(t, conn, "/some.Service/Method", nil)))
	assert.Equal(t, codes.Unimplemented, status.Code(send(t, conn, strings.ReplaceAll(exportTraces, "Export", "Delete"), nil)))
}

// TestCallsWithoutAMessageEnd opens calls and sends nothing.
func TestCallsWithoutAMessageEnd(t *testing.T) {
	var got sink
	r := otlpreceive.New(got.take, quiet)
	r.SetPatience(50*time.Millisecond, 3*time.Second)
	conn := dial(t, serveGRPC(t, r))
	var calls []grpc.ClientStream
	for range otlpreceive.MaxReading {
		stream, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, exportTraces,
			grpc.ForceCodecV2(bytesCodec{}))
		require.NoError(t, err)
		calls = append(calls, stream)
	}
	assert.Eventually(t, func() bool {
		return status.Code(send(t, conn, exportTraces, asProto(t, oneSpan("a")))) == codes.Unavailable
	}, time.Minute, 10*time.Millisecond, "the places are taken")
	for _, call := range calls {
		var answer []byte
		assert.Equal(t, codes.Unavailable, status.Code(call.RecvMsg(&answer)))
	}
	assert.NoError(t, send(t, conn, exportTraces, asProto(t, oneSpan("a"))), "the places are free again")
}
