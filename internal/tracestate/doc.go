// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package tracestate reads and writes the tracestate of W3C Trace Context level 2, and
// keeps the members that [trace.TraceState] cannot hold.
//
// That type follows level 1, which allows fewer keys. It refuses a whole list if it has
// a key such as "1st", "foo@" or "foo@@bar". In this package such a member travels
// beside the TraceState, in a [Beside] in the context and in the envelope:
//
//	list, ok := tracestate.Read(header["Tracestate"])
//	ctx = tracestate.ContextWith(ctx, list.Beside(sc.TraceID()))
//	ctx = trace.ContextWithSpanContext(ctx, sc.WithTraceState(list.State))
//
//	beside := tracestate.FromContext(ctx).Of(sc.TraceID())
//	value, cut := tracestate.Encode(sc.TraceState(), beside)
//
// A Beside never changes, and any number of goroutines may share it. Its strings are
// parts of the input. A trace that has no such members has a nil Beside, and all
// methods work on that.
package tracestate
