// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package w3c is what a service must do by W3C Trace Context level 2, as a
// table of 41 cases for tests. Each bears the name that its counterpart has in
// the validation suite of the W3C, at its strictest setting for level 2.
//
// A case is one or more requests to the service and what must hold for the
// headers of the requests that the service makes while it handles them:
//
//	harness := w3c.NewHarness()
//	defer harness.Close()
//	server := httptest.NewServer(...) // calls harness.URL() w3c.Calls(r) times
//	for _, c := range w3c.Cases() {
//		err := harness.Run(ctx, server.Listener.Addr().String(), c)
//	}
//
// The [Harness] writes its requests to the connection byte by byte, since an
// HTTP client would tidy names and repetitions up. For other protocols, go
// through [Case.Requests] and give what the service sent to [Request.Check].
//
// Everything may be used by several goroutines at the same time, but a Harness
// runs one case at a time.
package w3c
