// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
)

func TestRootsAreStartedWhereAllowed(t *testing.T) {
	rec := record(t)
	sys := rec.system()
	entry := spawn(t, sys, "entry", do, mailbox.WithRootSpans())
	next := spawn(t, sys, "next", do)
	own := func(ctx context.Context) error {
		rec.startSpan(ctx, "own work")
		return next.Send(ctx, nothing)
	}
	require.NoError(t, entry.Send(context.Background(), own))
	pass(t, entry)
	root := rec.all("entry job")[0]
	assert.False(t, root.Parent.IsValid(), "not a root, not even of the sentinel")
	assert.False(t, envelope.IsSentinel(root.SpanContext))
	assert.Equal(t, trace.SpanKindConsumer, root.SpanKind)
	a := attributes(t, root)
	assert.Equal(t, "entry", a[keys.ProcessKind])
	assert.NotContains(t, a, keys.QueueDuration, "when it was sent is not known")

	ctx, outer := rec.start()
	require.NoError(t, entry.Send(ctx, nothing))
	outer.End()
	drain(t, sys)
	requireChild(t, root.SpanContext, rec.one("own work"))
	requireChild(t, root.SpanContext, rec.one("next job"))
	handlings := rec.all("entry job")
	require.Len(t, handlings, 3)
	requireChild(t, outer.SpanContext(), handlings[2])
}

func TestRootsAreSubjectToTheSampler(t *testing.T) {
	rec := record(t, sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.NeverSample())))
	sys := rec.system()
	entry := spawn(t, sys, "entry", do, mailbox.WithRootSpans())
	require.NoError(t, entry.Send(context.Background(), func(ctx context.Context) error {
		sc := trace.SpanContextFromContext(ctx)
		assert.True(t, sc.IsValid())
		assert.False(t, sc.IsSampled())
		rec.startSpan(ctx, "own work")
		return fails(ctx)
	}))
	drain(t, sys)
	assert.Empty(t, rec.names())
}

func TestRootOfACall(t *testing.T) {
	rec := record(t)
	sys := rec.system()
	entry := spawn(t, sys, "entry", do, mailbox.WithRootSpans())
	_, err := call(context.Background(), entry, answer)
	require.NoError(t, err)
	drain(t, sys)
	span := rec.one("entry job")
	assert.False(t, span.Parent.IsValid())
	assert.Equal(t, trace.SpanKindInternal, span.SpanKind)
	assert.Len(t, rec.names(), 1)
}

func TestRootKeepsTheBaggage(t *testing.T) {
	rec := record(t)
	sys := rec.system()
	entry := spawn(t, sys, "entry", do, mailbox.WithRootSpans())
	handlers := contextIn(t, withBaggage(t, context.Background(), "tenant", "blue"), entry)
	assert.Equal(t, "blue", baggage.FromContext(handlers).Member("tenant").Value())
	drain(t, sys)
	assert.False(t, rec.one("entry job").Parent.IsValid())
}

// A kind that gets no traces starts none for a message that has one, however it was sent.
func TestNoRootsInsteadOfTracesThatAreKeptOut(t *testing.T) {
	for bag, with := range map[string]func(context.Context) context.Context{
		"":             func(ctx context.Context) context.Context { return ctx },
		"with baggage": func(ctx context.Context) context.Context { return withBaggage(t, ctx, "tenant", "blue") },
	} {
		t.Run(bag, func(t *testing.T) {
			control, err := sampling.NewControl(sampling.Config{Default: sampling.KindConfig{Untraced: true}})
			require.NoError(t, err)
			rec := record(t)
			sys := rec.system(mailbox.WithControl(control))
			entry := spawn(t, sys, "entry", do, mailbox.WithRootSpans())
			group := newGroup[job](t, sys, "entries")
			require.NoError(t, group.Join(entry))
			ctx, outer := rec.start()
			require.NoError(t, entry.Send(with(ctx), nothing))
			assert.Equal(t, 1, group.Broadcast(with(ctx), nothing).Delivered)
			outer.End()
			drain(t, sys)
			assert.Empty(t, rec.all("entry job"))
		})
	}
}

// Somebody decided already that these are not traced: the sampler at the
// trace's root, the choice of a fan-out, or a process that had no trace. To
// start roots for them would undo that, ten thousand times for a large fan-out.
func TestNoRootsForWhatWasNotSampled(t *testing.T) {
	for name, ctx := range silent() {
		if name == "no trace" || name == "sampled without an ID" {
			continue
		}
		for _, carry := range []envelope.CarryPolicy{{}, {Unsampled: true}} {
			for bag, ctx := range map[string]context.Context{"plain": ctx, "with baggage": withBaggage(t, ctx, "tenant", "blue")} {
				t.Run(name+", "+bag, func(t *testing.T) {
					rec := record(t)
					sys := rec.system(mailbox.WithCarry(carry))
					entry := spawn(t, sys, "entry", do, mailbox.WithRootSpans())
					group := newGroup[job](t, sys, "entries")
					require.NoError(t, group.Join(entry))
					silence := func(ctx context.Context) error {
						assert.False(t, trace.SpanContextFromContext(ctx).IsSampled())
						return nil
					}
					require.NoError(t, entry.Send(ctx, silence))
					assert.Equal(t, 1, group.Broadcast(ctx, silence).Delivered)
					_, err := call(ctx, entry, answering(silence))
					require.NoError(t, err)
					drain(t, sys)
					assert.Empty(t, rec.names())
				})
			}
		}
	}
}

func TestNoRootsForSkippedRecipients(t *testing.T) {
	for _, bag := range []bool{false, true} {
		rec := record(t)
		sys := rec.system()
		group := groupOf(t, sys, "entry", 100,
			sampling.GroupConfig{Curve: sampling.Always(), MaxSpans: 2}, mailbox.WithRootSpans())
		ctx, root := rec.start()
		if bag {
			ctx = withBaggage(t, ctx, "tenant", "blue")
		}
		assert.Equal(t, 2, group.Broadcast(ctx, nothing).Sampled)
		root.End()
		drain(t, sys)
		assert.Len(t, rec.all("entry job"), 2)
	}
}

// Those that speak up do so in the trace that skipped them.
func TestSkippedEntryPointsSpeakUpInTheirTrace(t *testing.T) {
	rec := record(t)
	late := sampling.Late{Failures: true, PerSecond: sampling.Unlimited}
	sys := rec.system(mailbox.WithControl(controlOf(t, sampling.KindConfig{Late: late})))
	group := groupOf(t, sys, "entry", 10,
		sampling.GroupConfig{Curve: sampling.Always(), MaxSpans: 2}, mailbox.WithRootSpans())
	assert.Equal(t, 2, rec.broadcast(group, fails).Sampled)
	drain(t, sys)
	assert.Len(t, rec.all("entry job"), 10)
	for _, span := range rec.all("entry job") {
		requireChild(t, rec.one("broadcast entrys").SpanContext, span)
	}
}

func TestUntracedBroadcastStartsRootsWhereAllowed(t *testing.T) {
	rec := record(t)
	sys := rec.system()
	group := groupOf(t, sys, "entry", 3, sampling.GroupConfig{}, mailbox.WithRootSpans())
	assert.Equal(t, mailbox.Delivery{Size: 3, Delivered: 3}, group.Broadcast(context.Background(), nothing))
	drain(t, sys)
	assert.Len(t, rec.all("entry job"), 3)
}
