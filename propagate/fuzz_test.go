// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate_test

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagate"
)

var (
	// wellFormed is the grammar of the standard but for identifiers of zero,
	// which this kind of expression cannot exclude and zeroID finds.
	wellFormed = regexp.MustCompile(`(?s)\A(?:00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}` +
		`|(?:0[1-9a-f]|[1-9a-e][0-9a-f]|f[0-9a-e])-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?)\z`)
	zeroID = regexp.MustCompile(`\A..-(?:0{32}-|.{32}-0{16}-)`)

	// OTel's propagator takes a dash behind version 00, against the standard's
	// 55 bytes exactly.
	trailingDash = regexp.MustCompile(`\A00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]-\z`)
	// OTel's propagator refuses version 00 with a flag that is only reserved.
	reservedFlag = regexp.MustCompile(`\A00-[0-9a-f]{32}-[0-9a-f]{16}-(?:0[4-9a-f]|[1-9a-f][0-9a-f])\z`)
)

func FuzzPeek(f *testing.F) {
	for _, tt := range valid {
		f.Add(tt.in)
	}
	for _, tt := range malformed {
		f.Add(tt.in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got := peek(in)
		require.Equal(t, wellFormed.MatchString(in) && !zeroID.MatchString(in), got != saysNothing, "%q", in)

		oracle := trace.SpanContextFromContext(
			propagation.TraceContext{}.Extract(t.Context(), propagation.MapCarrier{"traceparent": in}))
		sc, err := propagate.ParseTraceparent(in)
		switch {
		case got == saysNothing:
			require.ErrorIs(t, err, propagate.ErrMalformed)
			require.Equal(t, trace.SpanContext{}, sc)
			require.True(t, !oracle.IsValid() || trailingDash.MatchString(in), "OTel takes %q", in)
		case oracle.IsValid():
			require.NoError(t, err)
			require.Equal(t, oracle, sc)
			require.Equal(t, oracle.IsSampled(), got == saysSampled)
		default:
			require.NoError(t, err)
			require.Regexp(t, reservedFlag, in)
			require.Equal(t, sc.IsSampled(), got == saysSampled)
		}
	})
}

// Whatever arrives, every carrier yields the same, and what goes out again is
// what a next hop then reads.
func FuzzSampledFirst(f *testing.F) {
	for _, parent := range []string{sampled, unsampled, sampled + "-", "", "cc" + sampled[2:] + "-x"} {
		f.Add(parent, "a=1,b=2", "user=alice,plan=free;p=1")
		f.Add(parent, "a=1,,a=2", "%zz,=,user=%20")
		f.Add(parent, "", "")
	}
	f.Fuzz(func(t *testing.T, parent, state, bag string) {
		for _, p := range []propagate.SampledFirst{sampledFirst(), dropUnsampled()} {
			in := fill(propagation.HeaderCarrier{}, parent, state, bag)
			ctx := p.Extract(t.Context(), in)
			sc := trace.SpanContextFromContext(ctx)
			checkDecision(t, peek(parent), p.DropUnsampled, sc, bagOf(ctx))

			for name, carrier := range carriers {
				same := p.Extract(t.Context(), fill(carrier(), parent, state, bag))
				require.True(t, sc.Equal(trace.SpanContextFromContext(same)), name)

				out := fill(carrier(), stale, "stale=1", "stale=yes")
				p.Inject(ctx, out)
				next := p.Extract(t.Context(), out)
				require.True(t, sc.Equal(trace.SpanContextFromContext(next)), name)
				require.Equal(t, bagOf(ctx) == "", bagOf(next) == "", name)
				require.NotContains(t, bagOf(next), "stale=yes")
			}
		}
	})
}

func checkDecision(t *testing.T, d decision, dropped bool, sc trace.SpanContext, bag string) {
	t.Helper()
	switch d {
	case saysSampled:
		assert.True(t, sc.IsValid() && sc.IsSampled() && sc.IsRemote())
	case saysUnsampled:
		assert.False(t, sc.IsSampled())
		assert.Equal(t, !dropped, sc.IsValid())
		assert.Zero(t, sc.TraceState().Len())
		assert.Empty(t, bag)
	case saysNothing:
		assert.False(t, sc.IsValid())
	}
}

// What a service receives it sends on, and the next one then reads the same.
func FuzzTraceContext(f *testing.F) {
	for _, parent := range []string{sampled, unsampled, sampled + "-", "", "cc" + sampled[2:] + "-x", sampled[:53] + "ff"} {
		f.Add(parent, "a=1,b=2", "c=3")
		f.Add(parent, "foo@=1, a=2\t,4th= x", ",foo@=3,")
		f.Add(parent, "a=1,,a=2", "\x00")
	}
	f.Fuzz(func(t *testing.T, parent, state, more string) {
		p, counters := counting()
		in := propagation.HeaderCarrier{"Traceparent": {parent}, "Tracestate": {state, more}}
		ctx := p.Extract(t.Context(), in)
		sc := trace.SpanContextFromContext(ctx)
		require.Equal(t, peek(parent) != saysNothing, sc.IsValid())
		require.Equal(t, parent != "" && !sc.IsValid(), counters.Figures().Malformed == 1)

		for name, carrier := range carriers {
			out := fill(carrier(), stale, "stale=1", "")
			p.Inject(ctx, out)
			next := p.Extract(t.Context(), out)
			require.True(t, sc.Equal(trace.SpanContextFromContext(next)), name)
			require.Equal(t, resent(ctx), resent(next), name)
			if !sc.IsValid() {
				require.Empty(t, written(out), name)
			}
		}
		refused, cut := counters.Figures().TraceStateRefused, counters.Figures().TraceStateCut
		require.LessOrEqual(t, refused, uint64(1), "what is sent is valid")
		require.True(t, refused == 0 || cut == 0 && resent(ctx) == "")
	})
}

// Where a trace is sampled the two propagators read and write the same, and
// where OTel's reads anything, so do both.
func FuzzPropagatorsAgree(f *testing.F) {
	for _, flags := range []byte{0, 1, 2, 3, 0xff} {
		f.Add(flags, "a=1,b=2")
		f.Add(flags, "foo@=1,a=2")
		f.Add(flags, "a=1,a=2")
		f.Add(flags, "=")
	}
	f.Fuzz(func(t *testing.T, flags byte, state string) {
		parent := fmt.Sprintf("%s%02x", sampled[:53], flags)
		in := propagation.MapCarrier{"traceparent": parent, "tracestate": state}
		first, standard := sampledFirst(), propagate.TraceContext{}
		one, two := first.Extract(t.Context(), in), standard.Extract(t.Context(), in)
		sc := trace.SpanContextFromContext(two)
		if !sc.IsSampled() {
			require.True(t, sc.WithTraceState(trace.TraceState{}).Equal(trace.SpanContextFromContext(one)))
			require.Empty(t, resent(one))
			return
		}
		require.True(t, sc.Equal(trace.SpanContextFromContext(one)))
		outOne, outTwo := propagation.MapCarrier{}, propagation.MapCarrier{}
		first.Inject(one, outOne)
		standard.Inject(two, outTwo)
		require.Equal(t, outTwo, outOne)

		otel := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(t.Context(), in))
		if otel.IsValid() && otel.TraceState().Len() > 0 {
			require.True(t, otel.Equal(sc))
		}
	})
}
