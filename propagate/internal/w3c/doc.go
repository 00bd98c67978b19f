// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package w3c says what a service must do by W3C Trace Context level 2, as a table of
// 41 cases for tests. Each has the name of the same case in the validation suite of the
// W3C, at its strictest setting for level 2.
//
// A case is one or more requests to the service. It says what must hold for the headers
// of the requests that the service makes while it handles them:
//
//	harness := w3c.NewHarness()
//	defer harness.Close()
//	server := httptest.NewServer(...) // calls harness.URL() w3c.Calls(r) times
//	for _, c := range w3c.Cases() {
//		err := harness.Run(ctx, server.Listener.Addr().String(), c)
//	}
//
// The [Harness] writes the bytes of its requests itself, because an HTTP client would
// tidy up names and repetitions. For other protocols, send [Case.Requests] yourself, and
// give what the service sent to [Request.Check].
//
// Several goroutines may use everything at the same time, but a Harness runs one case at
// a time.
package w3c
