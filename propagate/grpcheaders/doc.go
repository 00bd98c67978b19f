// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package grpcheaders lets propagators see the metadata that a gRPC client sent
// more than once.
//
// Metadata may repeat a key. By W3C Trace Context, repeated tracestates are one list, in
// order, and a repeated traceparent is refused. But otelgrpc shows a propagator only the
// first value of each key: half a tracestate is lost, and the first of two traceparents is
// believed. A handler of this package wraps otelgrpc's and joins repeated values:
//
//	server := grpc.NewServer(grpc.StatsHandler(
//		grpcheaders.ServerHandler(otelgrpc.NewServerHandler()),
//	))
//
// It works with any propagator that follows the standard, because a joined traceparent is
// malformed.
//
// # Ownership, concurrency and cost
//
// A handler never changes metadata in place: a call with repeated keys gets a copy, which
// the handlers of the service see too. A call without repeated keys costs three look-ups
// and at most three small allocations. Any number of goroutines may use a handler at the
// same time. Nothing here fails or blocks.
package grpcheaders
