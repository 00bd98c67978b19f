// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package header_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/header"
)

const mixedState = "a=1,foo@=2,b=3,4th=4"

func TestMembersBesideTheTraceStateTravel(t *testing.T) {
	for name, tt := range map[string]struct {
		flags trace.TraceFlags
		carry header.CarryPolicy
		want  string
	}{
		"sampled":              {trace.FlagsSampled, header.CarryPolicy{}, mixedState},
		"unsampled":            {0, header.CarryPolicy{}, ""},
		"unsampled, carried":   {0, header.CarryPolicy{Unsampled: true}, mixedState},
		"sampled, both wanted": {trace.FlagsSampled, header.CarryPolicy{Unsampled: true}, mixedState},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := withTraceState(t, t.Context(), tt.flags, mixedState)
			for range 3 { // messages, one after the other
				ctx = tt.carry.Header(ctx).Context(header.Untraced(t.Context()))
				assert.Equal(t, tt.want, whole(ctx))
			}
		})
	}
}

func TestMembersBesideTheTraceStateStayWithTheirTrace(t *testing.T) {
	first := withTraceState(t, t.Context(), trace.FlagsSampled, mixedState)
	h := header.CarryPolicy{}.Header(first)
	other := spanContext(trace.FlagsSampled).WithTraceID(trace.TraceID{7})
	next := spanContext(trace.FlagsSampled).WithSpanID(trace.SpanID{9})

	assert.Equal(t, "foo@=2,4th=4", whole(h.WithSpanContext(next).Context(t.Context())), "a span of the same trace")
	assert.Empty(t, whole(h.WithSpanContext(other).Context(t.Context())), "another trace")
	assert.Equal(t, mixedState, whole(h.ForSampled(false).Context(t.Context())))
	assert.Equal(t, mixedState, whole(h.Skip(true).Context(t.Context())))

	// A context that changed hands within a span of another trace.
	foreign := header.CarryPolicy{}.Header(trace.ContextWithSpanContext(first, other))
	assert.Empty(t, whole(foreign.Context(t.Context())))

	// Nor do they come back with a trace once they have been left behind.
	for _, left := range []*header.Header{h.WithSpanContext(other), foreign} {
		assert.Empty(t, whole(left.WithSpanContext(next).Context(t.Context())))
	}
}

// Where messages of one trace follow each other in one context, none sees what
// another one brought.
func TestMembersBesideTheTraceStateAreReplaced(t *testing.T) {
	for name, tt := range map[string]struct {
		flags trace.TraceFlags
		carry header.CarryPolicy
	}{
		"sampled":   {trace.FlagsSampled, header.CarryPolicy{}},
		"unsampled": {0, header.CarryPolicy{Unsampled: true}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			for _, state := range []string{mixedState, "a=1", "9@9@9=9", ""} {
				h := tt.carry.Header(withTraceState(t, t.Context(), tt.flags, state))
				ctx = h.Context(ctx)
				assert.Equal(t, state, whole(ctx))
			}
		})
	}
}
