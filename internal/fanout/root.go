// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package fanout

import (
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/threshold"
)

// Root returns the tracestate of a recipient that stands for f, sampled by a
// fan-out whose span is parent, if it begins a new trace that is linked to
// parent's instead of going on in that.
//
// It holds f, and what lets OpenTelemetry's samplers and collectors count the new
// trace rightly ([threshold.Narrow]), if parent states with what probability it was
// sampled.
//
// Members of others describe parent's trace, not this one, and are left out: the
// W3C would have a restarted trace clean them up.
func (f Fanout) Root(parent trace.SpanContext) trace.TraceState {
	var state trace.TraceState
	if member := threshold.Narrow(parent, f.Probability); member != "" {
		state, _ = state.Insert(threshold.TraceStateKey, member) // The key is right and the value is digits: no error.
	}
	if f.valid() {
		state, _ = state.Insert(TraceStateKey, f.member())
	}
	return state
}
