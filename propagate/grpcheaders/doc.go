// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package grpcheaders lets propagators see the metadata that a gRPC client sent
// more than once.
//
// Metadata may repeat a key. W3C Trace Context wants repeated tracestate read as
// one list, in order, and a trace refused whose traceparent is repeated. But
// otelgrpc shows a propagator the first value of each key and no more, so that
// half a tracestate is lost and the first of two traceparents believed. A
// handler of this package goes around otelgrpc's and joins what is repeated:
//
//	server := grpc.NewServer(grpc.StatsHandler(
//		grpcheaders.ServerHandler(otelgrpc.NewServerHandler()),
//	))
//
// It works with the propagators of package propagate and with any other: a
// joined traceparent is malformed to all that follow the standard.
//
// # Ownership, concurrency and cost
//
// Metadata is never changed where it lies: a call with repeated keys gets a copy
// of it, which the service's handlers see, too. A call without them costs three
// look-ups and at most three small allocations. Any number of goroutines may use
// a handler at the same time. Nothing here fails or blocks.
package grpcheaders
