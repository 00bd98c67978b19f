// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package interop has no code of its own. Its tests use the propagators and carriers of
// package propagate with the libraries that they are for: net/http with otelhttp, gRPC
// with otelgrpc, NATS, Kafka with franz-go, and Watermill. Each test starts the servers
// that it needs, on the loopback interface.
//
// What a service has to write is in the functions of the tests whose names
// begin with open, one for each library.
package interop
