// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command start is a complete program, and the shortest one: it sets up OpenTelemetry, sends
// one message to a process, and ends in order. It prints its spans and metrics as JSON. The
// README shows it.
package main
