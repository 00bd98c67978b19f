// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package grpcheaders_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"
	estats "google.golang.org/grpc/experimental/stats"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"

	"github.com/waybill-go/waybill/propagate/grpcheaders"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder is a handler that remembers what it was asked.
type recorder struct {
	md   metadata.MD
	info *stats.RPCTagInfo
	asks []string
}

func (r *recorder) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	r.md, _ = metadata.FromIncomingContext(ctx)
	r.info, r.asks = info, append(r.asks, "TagRPC")
	return context.WithValue(ctx, r, "tagged")
}

func (r *recorder) HandleRPC(context.Context, stats.RPCStats) { r.asks = append(r.asks, "HandleRPC") }

func (r *recorder) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context {
	r.asks = append(r.asks, "TagConn")
	return ctx
}

func (r *recorder) HandleConn(context.Context, stats.ConnStats) {
	r.asks = append(r.asks, "HandleConn")
}

func TestJoinsWhatIsRepeated(t *testing.T) {
	for name, tt := range map[string]struct{ in, want metadata.MD }{
		"none":        {nil, nil},
		"empty":       {metadata.MD{}, metadata.MD{}},
		"single":      {metadata.Pairs("traceparent", "p", "tracestate", "a=1"), metadata.Pairs("traceparent", "p", "tracestate", "a=1")},
		"tracestate":  {metadata.Pairs("tracestate", "a=1", "tracestate", "b=2,c=3", "x", "1"), metadata.Pairs("tracestate", "a=1,b=2,c=3", "x", "1")},
		"traceparent": {metadata.Pairs("traceparent", "p", "traceparent", "p"), metadata.Pairs("traceparent", "p,p")},
		"baggage":     {metadata.Pairs("baggage", "a=1", "baggage", "b=2"), metadata.Pairs("baggage", "a=1,b=2")},
		"empty ones":  {metadata.Pairs("tracestate", "", "tracestate", "a=1"), metadata.Pairs("tracestate", ",a=1")},
		"others":      {metadata.Pairs("x", "1", "x", "2"), metadata.Pairs("x", "1", "x", "2")},
		"all": {
			metadata.Pairs("tracestate", "a=1", "tracestate", "b=2", "baggage", "c=3", "baggage", "d=4", "x", "1", "x", "2"),
			metadata.Pairs("tracestate", "a=1,b=2", "baggage", "c=3,d=4", "x", "1", "x", "2"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, shared := t.Context(), tt.in.Copy()
			if tt.in != nil {
				ctx = metadata.NewIncomingContext(ctx, shared)
			}
			next, info := &recorder{}, &stats.RPCTagInfo{FullMethodName: "/a/B"}
			tagged := grpcheaders.ServerHandler(next).TagRPC(ctx, info)
			assert.Equal(t, tt.want, next.md)
			assert.Same(t, info, next.info)
			assert.Equal(t, "tagged", tagged.Value(next), "what next returned")
			seen, _ := metadata.FromIncomingContext(tagged)
			assert.Equal(t, tt.want, seen, "the service sees the same")
			assert.Equal(t, tt.in.Copy(), shared, "what others may hold stays as it was")
		})
	}
}

func TestPassesTheRestOn(t *testing.T) {
	next := &recorder{}
	h := grpcheaders.ServerHandler(next)
	h.TagConn(t.Context(), &stats.ConnTagInfo{})
	h.HandleConn(t.Context(), &stats.ConnBegin{})
	h.TagRPC(t.Context(), &stats.RPCTagInfo{})
	h.HandleRPC(t.Context(), &stats.Begin{})
	assert.Equal(t, []string{"TagConn", "HandleConn", "TagRPC", "HandleRPC"}, next.asks)
}

func TestStaysARecorderOfMetrics(t *testing.T) {
	_, is := grpcheaders.ServerHandler(&recorder{}).(estats.MetricsRecorder)
	assert.False(t, is)
	next := struct {
		*recorder
		estats.MetricsRecorder
	}{&recorder{}, nil}
	h := grpcheaders.ServerHandler(next)
	_, is = h.(estats.MetricsRecorder)
	assert.True(t, is)
	ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("tracestate", "a=1", "tracestate", "b=2"))
	h.TagRPC(ctx, &stats.RPCTagInfo{})
	assert.Equal(t, []string{"a=1,b=2"}, next.md["tracestate"])
}

func TestNeedsAHandler(t *testing.T) {
	assert.Panics(t, func() { grpcheaders.ServerHandler(nil) })
}

func TestCostsLittleWithoutRepetition(t *testing.T) {
	in := metadata.Pairs("traceparent", "p", "tracestate", "a=1", "baggage", "b=2", "x", "1", "x", "2")
	ctx := metadata.NewIncomingContext(t.Context(), in)
	h, info := grpcheaders.ServerHandler(silent{}), &stats.RPCTagInfo{}
	assert.InDelta(t, 3, testing.AllocsPerRun(100, func() { h.TagRPC(ctx, info) }), 0)
	bare := t.Context()
	assert.InDelta(t, 0, testing.AllocsPerRun(100, func() { h.TagRPC(bare, info) }), 0)
}

// silent is a handler that allocates nothing.
type silent struct{ stats.Handler }

func (silent) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }
