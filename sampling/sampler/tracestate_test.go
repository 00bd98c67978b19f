// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampler_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/sampling/sampler"
)

// replacing is a sampler that writes a tracestate of its own.
type replacing struct {
	sdktrace.Sampler
	state trace.TraceState
}

func (s replacing) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	result := s.Sampler.ShouldSample(p)
	result.Tracestate = s.state
	return result
}

// Below a sampler that leaves the tracestate empty, the trace keeps it, and so
// its weight; without the wrapper both are lost, for good.
func TestTracestateIsRestored(t *testing.T) {
	state := hundred.AddTo(parseState(t, "vendor=1"))
	for name, next := range map[string]sdktrace.Sampler{
		"sampled": forgetful{sdktrace.AlwaysSample()},
		"dropped": forgetful{sdktrace.NeverSample()},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, next, func(t *testing.T, r *recorder, wrapped bool) {
				ctx := below(spanContext(trace.FlagsSampled).WithTraceState(state))
				for range 2 {
					ctx = r.span(ctx, "own")
					got := trace.SpanContextFromContext(ctx).TraceState()
					if wrapped {
						assert.Equal(t, state.String(), got.String())
						assert.Equal(t, hundred, fanout.FromTraceState(got))
					} else {
						assert.Empty(t, got.String())
					}
				}
			})
		})
	}
}

func TestTracestateIsThatOfTheTrace(t *testing.T) {
	state := parseState(t, "vendor=1")
	parent := spanContext(trace.FlagsSampled).WithTraceState(state)
	own := replacing{sdktrace.AlwaysSample(), parseState(t, "own=2")}
	empty := forgetful{sdktrace.AlwaysSample()}
	for _, c := range []struct {
		name   string
		next   sdktrace.Sampler
		parent trace.SpanContext
		opts   []trace.SpanStartOption
		want   string
	}{
		{"of the sampler", own, parent, nil, "own=2"},
		{"of the parent", empty, parent, nil, "vendor=1"},
		{"of a given trace", empty, parent.WithSpanID(trace.SpanID{}), nil, "vendor=1"},
		{"of a parent without one", empty, spanContext(trace.FlagsSampled), nil, ""},
		{"not of another trace", empty, parent, []trace.SpanStartOption{trace.WithNewRoot()}, ""},
		{"not of no trace", empty, parent.WithTraceID(trace.TraceID{}), nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := record(t, sampler.Wrap(c.next))
			r.span(below(c.parent), "own", c.opts...)
			assert.Equal(t, c.want, r.one(t, "own").SpanContext.TraceState().String())
		})
	}
}
