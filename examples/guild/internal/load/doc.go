// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package load is the clients of a run: simulated ones, which are called by their
// sessions, and real ones with WebSockets. Each checks that it gets every message of its
// guild once and in order. One whose session ends comes back, and goes on from where it
// was.
package load
