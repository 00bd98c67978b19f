// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
)

// carryCase is one combination of what a sender's context holds.
type carryCase struct {
	name string
	sc   trace.SpanContext
	bag  bool
}

func (c carryCase) context(t *testing.T) context.Context {
	ctx := t.Context()
	if c.bag {
		ctx = withBaggage(t, ctx, "acme")
	}
	if !c.sc.Equal(trace.SpanContext{}) {
		ctx = trace.ContextWithSpanContext(ctx, c.sc)
	}
	return ctx
}

func carryCases() []carryCase {
	sampledSentinelID := envelope.Sentinel().WithTraceFlags(trace.FlagsSampled)
	noIDs := trace.NewSpanContext(trace.SpanContextConfig{TraceFlags: trace.FlagsSampled})
	var cases []carryCase
	for _, sc := range []struct {
		name string
		sc   trace.SpanContext
	}{
		{"none", trace.SpanContext{}},
		{"sampled", spanContext(trace.FlagsSampled)},
		{"sampled remote", spanContext(trace.FlagsSampled).WithRemote(true)},
		{"unsampled", spanContext(0)},
		{"sentinel", envelope.Sentinel()},
		{"sentinel's child", envelope.Sentinel().WithSpanID(trace.SpanID{7})},
		{"sampled against the sentinel", sampledSentinelID},
		{"sampled without IDs", noIDs},
	} {
		cases = append(cases, carryCase{sc.name, sc.sc, false}, carryCase{sc.name + " with baggage", sc.sc, true})
	}
	return cases
}

// TestCarryPolicy compares every policy, on every combination, with what its
// documentation promises, spelt out once more here.
func TestCarryPolicy(t *testing.T) {
	for _, c := range carryCases() {
		for _, carry := range []envelope.CarryPolicy{
			{},
			{Unsampled: true},
			{DropUnsampledBaggage: true},
			{Unsampled: true, DropUnsampledBaggage: true},
		} {
			t.Run(fmt.Sprintf("%s/%+v", c.name, carry), func(t *testing.T) {
				sampled := c.sc.IsValid() && c.sc.IsSampled()
				foreign := c.sc.IsValid() && !envelope.IsSentinel(c.sc)
				wantTrace := sampled || foreign && carry.Unsampled
				wantBaggage := c.bag && (sampled || !carry.DropUnsampledBaggage)

				h := carry.Header(c.context(t))

				if !c.sc.IsValid() && !wantBaggage {
					require.Nil(t, h, "nothing travels, and nothing was decided")
					return
				}
				require.NotNil(t, h)
				if !wantTrace && !wantBaggage {
					assert.Same(t, h, carry.Header(c.context(t)), "all such messages share it")
				}
				want := trace.SpanContext{}
				if wantTrace {
					want = c.sc
				}
				assert.True(t, h.SpanContext().Equal(want), "got %v", h.SpanContext())
				assert.Equal(t, sampled, h.Sampled())
				assert.Equal(t, sampled, !h.SentAt().IsZero(), "only a sampled message has a time of sending")
				if wantBaggage {
					assert.Equal(t, "acme", h.Baggage().Member("customer").Value())
				} else {
					assert.Zero(t, h.Baggage().Len())
				}
			})
		}
	}
}

// TestUnwrap opens what was wrapped inside a receiver's context that has a
// trace and baggage of its own: nothing of those may come through.
func TestUnwrap(t *testing.T) {
	for _, c := range carryCases() {
		t.Run(c.name, func(t *testing.T) {
			type key struct{}
			receiver, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "mine"))
			receiver = withBaggage(t, trace.ContextWithSpanContext(receiver,
				spanContext(trace.FlagsSampled).WithSpanID(trace.SpanID{0xee})), "receiver")

			sender, stop := context.WithCancel(c.context(t))
			e := envelope.Wrap(sender, order{7})
			stop()
			ctx, message := e.Unwrap(receiver)

			assert.Equal(t, order{7}, message)
			assert.Equal(t, order{7}, e.Message())
			if got := trace.SpanContextFromContext(ctx); c.sc.IsValid() && c.sc.IsSampled() {
				assert.True(t, got.Equal(c.sc))
			} else {
				assert.True(t, envelope.IsSentinel(got))
			}
			if c.bag {
				assert.Equal(t, "acme", baggage.FromContext(ctx).Member("customer").Value())
			} else {
				assert.Zero(t, baggage.FromContext(ctx).Len())
			}
			assert.Equal(t, "mine", ctx.Value(key{}), "the values of the receiver's context stay")
			require.NoError(t, ctx.Err(), "the sender's cancellation does not travel")
			cancel()
			require.ErrorIs(t, ctx.Err(), context.Canceled, "the receiver's does")
		})
	}
}

func TestBare(t *testing.T) {
	e := envelope.Bare(order{3})
	assert.Nil(t, e.Header())
	assert.Equal(t, envelope.Envelope[order]{}, envelope.Bare(order{}), "the zero value is the zero message, bare")

	ctx, message := e.Unwrap(withBaggage(t, sampledContext(t), "receiver"))
	assert.Equal(t, order{3}, message)
	assert.True(t, envelope.IsSentinel(trace.SpanContextFromContext(ctx)))
	assert.Zero(t, baggage.FromContext(ctx).Len())
}

func TestNew(t *testing.T) {
	h := envelope.CarryPolicy{Unsampled: true}.Header(unsampledContext(t))
	require.NotNil(t, h)
	assert.Same(t, h, envelope.New(order{1}, h).Header())
	assert.Nil(t, envelope.New(order{1}, nil).Header())
	assert.Nil(t, envelope.New(order{1}, new(envelope.Header)).Header(), "a header that carries nothing is none")

	ctx, _ := envelope.New(order{1}, h).Unwrap(t.Context())
	assert.True(t, trace.SpanContextFromContext(ctx).Equal(spanContext(0)), "the true trace ID")
}

func TestSentAtIsTheTimeOfWrapping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := sampledContext(t)
		before := time.Now()
		e := envelope.Wrap(ctx, order{1})
		time.Sleep(time.Minute) // Of the bubble's clock.
		assert.True(t, e.Header().SentAt().Equal(before))
		assert.Equal(t, time.Minute, time.Since(e.Header().SentAt()))
	})
}

// TestCarryPolicyOfASend gives each way to send a policy of its own.
func TestCarryPolicyOfASend(t *testing.T) {
	keep, drop := envelope.CarryPolicy{Unsampled: true}, envelope.CarryPolicy{DropUnsampledBaggage: true}
	ctx := withBaggage(t, unsampledContext(t), "acme")
	for name, send := range map[string]func(carry ...envelope.CarryPolicy) envelope.Envelope[order]{
		"Wrap": func(carry ...envelope.CarryPolicy) envelope.Envelope[order] {
			return envelope.Wrap(ctx, order{1}, carry...)
		},
		"Send": func(carry ...envelope.CarryPolicy) envelope.Envelope[order] {
			ch := make(chan envelope.Envelope[order], 1)
			require.NoError(t, envelope.Send(ctx, ch, order{1}, carry...))
			return <-ch
		},
		"TrySend": func(carry ...envelope.CarryPolicy) envelope.Envelope[order] {
			ch := make(chan envelope.Envelope[order], 1)
			require.True(t, envelope.TrySend(ctx, ch, order{1}, carry...))
			return <-ch
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := send().Header()
			assert.False(t, h.SpanContext().IsValid())
			assert.Equal(t, 1, h.Baggage().Len())
			h = send(keep).Header()
			assert.True(t, h.SpanContext().Equal(spanContext(0)), "the true trace ID, for the logs")
			assert.Equal(t, 1, h.Baggage().Len())
			h = send(keep, drop).Header()
			assert.False(t, h.SpanContext().IsValid(), "the last one counts")
			assert.Zero(t, h.Baggage().Len())

			// What the receiver's handler finds in its context is what its logs say.
			received, _ := send(keep).Unwrap(t.Context())
			assert.Equal(t, spanContext(0).TraceID(), trace.SpanContextFromContext(received).TraceID())
		})
	}
}

// A policy costs what it takes along, and nothing itself.
func TestCarryPolicyOfASendAllocatesNothing(t *testing.T) {
	ctx, ch := withBaggage(t, unsampledContext(t), "acme"), make(chan envelope.Envelope[order], 1)
	drop := envelope.CarryPolicy{DropUnsampledBaggage: true}
	assert.Zero(t, testing.AllocsPerRun(200, func() {
		_ = envelope.Send(ctx, ch, order{1}, drop)
		sink += (<-ch).Message().ID
		_ = envelope.TrySend(ctx, ch, order{1}, drop)
		sink += (<-ch).Message().ID
	}))
	// Negative control: the baggage is what would cost.
	assert.NotZero(t, testing.AllocsPerRun(200, func() {
		_ = envelope.Send(ctx, ch, order{1})
		sink += (<-ch).Message().ID
	}))
}
