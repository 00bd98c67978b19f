// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/caller"
	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/mailbox"
)

// remoteHeader is that of a message from another machine, which took that long.
func remoteHeader(sc trace.SpanContext, bag baggage.Baggage, took time.Duration) *header.Header {
	return header.Of(header.Content{
		SpanContext: sc, Baggage: bag, SentAt: time.Now(), Hops: 7, Remote: true, Network: took,
	})
}

// A message from another machine is handled below its sender's span, and says how long it was
// on its way. What its handler sends is a message from here.
func TestMessageFromAnotherMachine(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		sys := rec.system()
		next := spawnAs(t, sys, "next", "", do)
		ref := spawnAs(t, sys, "worker", "7", do)
		_, root := rec.start()
		root.End()
		for name, took := range map[string]time.Duration{"took": 3 * time.Second, "clocks": -time.Minute} {
			rec.spans.Reset()
			ctx := header.Arrive(t.Context(), remoteHeader(root.SpanContext().WithRemote(true), baggage.Baggage{}, took))
			require.NoError(t, ref.Send(ctx, func(ctx context.Context) error {
				return next.Send(ctx, nothing)
			}), name)
			settle()
			span := rec.one("worker job")
			requireChild(t, root.SpanContext(), span)
			assert.Equal(t, trace.SpanKindConsumer, span.SpanKind)
			attrs := attributes(t, span)
			assert.Equal(t, max(took, 0).Seconds(), attrs[keys.NetworkDuration], name)
			assert.Equal(t, true, attrs[keys.ClocksCrossed])
			assert.Equal(t, 0.0, attrs[keys.QueueDuration])
			local := attributes(t, rec.one("next job"))
			assert.NotContains(t, local, keys.NetworkDuration)
			assert.NotContains(t, local, keys.ClocksCrossed)
		}
		drain(t, sys)
	})
}

// The carry policy holds for messages from other machines too.
func TestUnsampledMessageFromAnotherMachine(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		member, err := baggage.NewMember("key", "value")
		require.NoError(t, err)
		bag, err := baggage.New(member)
		require.NoError(t, err)
		for _, test := range []struct {
			policy    envelope.CarryPolicy
			carried   bool
			inBaggage int
		}{
			{envelope.CarryPolicy{}, false, 1},
			{envelope.CarryPolicy{Unsampled: true}, true, 1},
			{envelope.CarryPolicy{DropUnsampledBaggage: true}, false, 0},
		} {
			rec := record(t)
			sys := rec.system(mailbox.WithCarry(test.policy))
			ref := spawnAs(t, sys, "worker", "", do)
			_, root := rec.start()
			root.End()
			sc := root.SpanContext().WithTraceFlags(0)
			require.NoError(t, ref.Send(header.Arrive(t.Context(), remoteHeader(sc, bag, 0)), func(ctx context.Context) error {
				assert.Equal(t, test.carried, trace.SpanContextFromContext(ctx).TraceID() == sc.TraceID())
				assert.Equal(t, test.inBaggage, baggage.FromContext(ctx).Len())
				return nil
			}))
			require.NoError(t, ref.Send(header.Arrive(t.Context(), nil), nothing))
			drain(t, sys)
			assert.EqualValues(t, 2, sys.Stats().Handled)
		}
	})
}

// The caller of a call from another machine has the call's span, and its handling is that of a
// server.
func TestCallFromAnotherMachine(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		sys := rec.system()
		ref := spawnAs(t, sys, "oracle", "", do)
		_, root := rec.start()
		root.End()
		rec.spans.Reset()
		caller, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		ctx := header.Arrive(caller, remoteHeader(root.SpanContext(), baggage.Baggage{}, time.Second))
		got, err := call(ctx, ref, func(ctx context.Context, r mailbox.Reply[int]) error {
			_, limited := ctx.Deadline()
			assert.True(t, limited)
			r.Answer(42)
			return nil
		})
		require.NoError(t, err)
		assert.Equal(t, 42, got)
		drain(t, sys)
		span := rec.one("oracle job")
		requireChild(t, root.SpanContext(), span)
		assert.Equal(t, trace.SpanKindServer, span.SpanKind)
		assert.Equal(t, 1.0, attributes(t, span)[keys.NetworkDuration])
		assert.Len(t, rec.names(), 1)
	})
}

// A kind without spans passes the trace on, for sends and for calls.
func TestKindWithoutSpans(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		sys := rec.system()
		kind, err := mailbox.NewKind[job](sys, "forwarder", mailbox.WithoutSpans(), mailbox.WithRootSpans())
		require.NoError(t, err)
		ref, err := kind.Spawn("", do)
		require.NoError(t, err)
		worker := spawnAs(t, sys, "worker", "", do)
		ctx, root := rec.start()
		forward := func(ctx context.Context) error { return worker.Send(ctx, nothing) }
		require.NoError(t, ref.Send(ctx, forward))
		_, err = call(ctx, ref, func(ctx context.Context, r mailbox.Reply[int]) error {
			r.Answer(0)
			return forward(ctx)
		})
		require.NoError(t, err)
		require.NoError(t, ref.Send(t.Context(), forward), "roots are allowed, but there are no spans")
		root.End()
		drain(t, sys)
		assert.Len(t, rec.all("worker job"), 2)
		for _, span := range rec.all("worker job") {
			requireChild(t, root.SpanContext(), span)
		}
		assert.Len(t, rec.names(), 3)
	})
}

// The handling of a message that a boundary has linked is a root, with a link to the caller's
// span, and what its handler starts is below it.
func TestLinkedMessageFromAnotherMachine(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		sys := rec.system()
		ref := spawnAs(t, sys, "worker", "", do)
		_, root := rec.start()
		root.End()
		linked := header.Of(header.Content{Caller: caller.New(t.Context(), root.SpanContext())})
		require.NoError(t, ref.Send(header.Arrive(t.Context(), linked), func(ctx context.Context) error {
			rec.startSpan(ctx, "work")
			return nil
		}))
		settle()
		span := rec.one("worker job")
		assert.False(t, span.Parent.IsValid())
		assert.NotEqual(t, root.SpanContext().TraceID(), span.SpanContext.TraceID())
		require.Len(t, span.Links, 1)
		assert.Equal(t, root.SpanContext().SpanID(), span.Links[0].SpanContext.SpanID())
		requireChild(t, span.SpanContext, rec.one("work"))
		assert.Empty(t, rec.one("work").Links)
		drain(t, sys)
	})
}
