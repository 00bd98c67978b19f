// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package tracestate reads and writes the tracestate of W3C Trace Context level
// 2, and keeps what [trace.TraceState] has no room for.
//
// That type follows level 1, whose keys are narrower: it refuses a whole list
// for a key such as "1st", "foo@" or "foo@@bar". Here such a member travels
// beside the TraceState, as a [Beside] in the context and in the envelope:
//
//	list, ok := tracestate.Read(header["Tracestate"])
//	ctx = tracestate.ContextWith(ctx, list.Beside(sc.TraceID()))
//	ctx = trace.ContextWithSpanContext(ctx, sc.WithTraceState(list.State))
//
//	beside := tracestate.FromContext(ctx).Of(sc.TraceID())
//	value, cut := tracestate.Encode(sc.TraceState(), beside)
//
// A Beside never changes, and any number of goroutines may share one. Its
// strings are those that were parsed. A nil one is of a trace that has nothing
// beside, and all methods work on it.
package tracestate
