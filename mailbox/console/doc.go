// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package console shows what a program that uses this library does, in a browser: its
// traces as they come, its processes, its sampling, and the health of the tracing itself.
//
// A service mounts it as it mounts net/http/pprof, on a listener that only operators reach:
//
//	con := console.New(console.Config{Control: control, Timings: store})
//	tracers := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(con))
//	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(con.MetricReader()))
//	operators.Handle("/debug/waybill/", http.StripPrefix("/debug/waybill", con))
//
// Each of the sources may be missing. The page then says what is missing, and how it is
// attached. The page docs/console.md of the repository tells what the console shows.
//
// # Who may see it
//
// The console asks nobody who they are. Whoever reaches it sees what is in spans, and the
// IDs of processes. It changes nothing, unless [Config.AllowChanges] is set. Pages of other
// origins can neither read it nor change anything.
//
// # Concurrency and ownership
//
// A [Console] may be used by any number of goroutines, providers and servers. It keeps spans
// as they are, and never changes them. It starts no goroutine: all is done in the goroutines of
// those who end spans and who ask. A timer runs only while spans come too fast.
//
// # Errors
//
// A request that makes no sense gets a status of 400 or above, and a line that says why: in
// JSON below api/, and as text elsewhere. A console that is mounted without
// [http.StripPrefix] says so. No request makes the console panic, and no request fails
// because of what spans say.
//
// # Cost
//
// Traces take the memory that [Config.Bytes] says. A span that ends is put into its
// trace, which waits for nobody. About 20,000 spans are taken in a second; of more, whole traces
// are dropped, and counted. Metrics are collected only while somebody looks, at most
// once a second. At most 32 pages at a time get lists as they change.
package console
