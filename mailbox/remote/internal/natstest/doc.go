// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package natstest gives tests a NATS server, and a link to it that they can disturb.
//
// Start runs a server inside the program of the test, on 127.0.0.1 and a free port:
//
//	server := natstest.Start(t, natstest.Options{JetStream: true})
//	conn := server.Conn(t)
//	server.Stop()
//	server.Restart(t) // the same port, the same store
//
// NewLink puts a proxy in front of it, for the clients that a test cuts off:
//
//	link := natstest.NewLink(t, server.Addr())
//	conn := link.Conn(t)
//	link.Cut()  // or link.Hang()
//	link.Heal()
//
// Everything ends with the test. When its cleanups have run, no goroutine is left, and no file.
// The methods may be called by several goroutines, but those that take a *testing.T only by
// the test's own.
//
// Only tests may import this package, because it imports the server.
package natstest
