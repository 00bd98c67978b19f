// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package fanout

import (
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/threshold"
)

// Root returns the tracestate of a sampled recipient that stands for f and starts a new
// trace. parent is the span of the fan-out. The new trace is linked to parent and does
// not continue its trace.
//
// The tracestate holds f. If parent states with what probability it was sampled, it
// also holds what samplers and collectors need to count the new trace correctly
// ([threshold.Narrow]).
//
// Other members describe the trace of parent and are left out, as the standard asks of
// a trace that is restarted.
func (f Fanout) Root(parent trace.SpanContext) trace.TraceState {
	var state trace.TraceState
	if member := threshold.Narrow(parent, f.Probability); member != "" {
		state, _ = state.Insert(threshold.TraceStateKey, member) // There is no error, because the key and the value are valid.
	}
	if f.valid() {
		state, _ = state.Insert(TraceStateKey, f.member())
	}
	return state
}
