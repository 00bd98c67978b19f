// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package grpcheaders_test

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"

	"github.com/waybill-go/waybill/propagate/grpcheaders"
)

// first stands for otelgrpc's handler: it sees the first value of each key.
type first struct{ stats.Handler }

func (first) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context {
	fmt.Println(metadata.ValueFromIncomingContext(ctx, "tracestate")[0])
	return ctx
}

func ExampleServerHandler() {
	handler := grpcheaders.ServerHandler(first{})
	server := grpc.NewServer(grpc.StatsHandler(handler))
	defer server.Stop()

	// What the server does with each call:
	incoming := metadata.Pairs("tracestate", "vendor=1", "tracestate", "other=2")
	handler.TagRPC(metadata.NewIncomingContext(context.Background(), incoming), &stats.RPCTagInfo{})
	// Output: vendor=1,other=2
}
