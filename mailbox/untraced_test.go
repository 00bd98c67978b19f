// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
)

// silent returns a context for each way in which a message can be untraced.
func silent() map[string]context.Context {
	remote := unsampled.WithRemote(true)
	return map[string]context.Context{
		"no trace":         context.Background(),
		"unsampled":        trace.ContextWithSpanContext(context.Background(), unsampled),
		"unsampled remote": trace.ContextWithRemoteSpanContext(context.Background(), remote),
		"sentinel":         envelope.Untraced(context.Background()),
		"sampled without an ID": trace.ContextWithSpanContext(context.Background(),
			trace.NewSpanContext(trace.SpanContextConfig{TraceFlags: trace.FlagsSampled})),
	}
}

// everything sends, calls, broadcasts, fails and refuses with ctx, and has
// users' spans started everywhere.
func everything(t *testing.T, ctx context.Context, rec *recorder, opts ...mailbox.SystemOption) {
	t.Helper()
	sys := rec.system(opts...)
	own := func(ctx context.Context) error {
		ctx, span := rec.tracer.Start(ctx, "own work")
		defer span.End()
		_, nested := rec.tracer.Start(ctx, "nested work")
		nested.End()
		assert.False(t, span.SpanContext().IsSampled())
		assert.False(t, span.IsRecording())
		return nil
	}
	last := spawn(t, sys, "last", do)
	ref := spawn(t, sys, "worker", do)
	group := groupOf(t, sys, "member", 5, sampling.GroupConfig{Curve: sampling.Always()})
	require.NoError(t, ref.Send(ctx, own))
	require.NoError(t, ref.Send(ctx, func(ctx context.Context) error { return last.Send(ctx, own) }))
	require.NoError(t, ref.Send(ctx, fails))
	_, err := call(ctx, ref, answering(func(ctx context.Context) error {
		group.Broadcast(ctx, own)
		return own(ctx)
	}))
	require.NoError(t, err)
	assert.Equal(t, mailbox.Delivery{Size: 5, Delivered: 5}, group.Broadcast(ctx, own))
	require.NoError(t, ref.Send(ctx, panics))
	await(t, ref.Done())
	require.ErrorIs(t, ref.Send(ctx, nothing), mailbox.ErrStopped)
	drain(t, sys)
	assert.EqualValues(t, 14, sys.Stats().Handled)
	assert.EqualValues(t, 2, sys.Stats().Failed)
}

// Below a message that is not traced nothing is: no span of ours, and none
// that users start, with the sampler that everybody has.
func TestUntracedMessagesRecordNothing(t *testing.T) {
	for name, ctx := range silent() {
		for _, carry := range []envelope.CarryPolicy{{}, {Unsampled: true}, {DropUnsampledBaggage: true}} {
			t.Run(name, func(t *testing.T) {
				rec := record(t, sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.AlwaysSample())))
				everything(t, ctx, rec, mailbox.WithCarry(carry))
				assert.Empty(t, rec.names())
			})
		}
	}
}

// The negative control: with a sampled parent the same makes spans.
func TestTracedMessagesRecordSomething(t *testing.T) {
	rec := record(t)
	sys := rec.system()
	rec.sent(spawn(t, sys, "worker", do), func(ctx context.Context) error {
		rec.startSpan(ctx, "own work")
		return nil
	})
	drain(t, sys)
	requireChild(t, rec.one("worker job").SpanContext, rec.one("own work"))
}

// Who was not chosen is silent, whatever it starts.
func TestSkippedRecipientsAreSilent(t *testing.T) {
	for _, carry := range []envelope.CarryPolicy{{}, {Unsampled: true}} {
		rec := record(t, sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.AlwaysSample())))
		sys := rec.system(mailbox.WithCarry(carry))
		last := spawn(t, sys, "last", do)
		group := groupOf(t, sys, "member", 50, sampling.GroupConfig{Curve: sampling.Always(), MaxSpans: 3})
		ctx, root := rec.start()
		group.Broadcast(ctx, func(ctx context.Context) error {
			sc := trace.SpanContextFromContext(ctx)
			if !sc.IsSampled() {
				assert.Equal(t, carry.Unsampled, sc.TraceID() == root.SpanContext().TraceID())
			}
			ctx, span := rec.tracer.Start(ctx, "own work")
			defer span.End()
			return last.Send(ctx, nothing)
		})
		root.End()
		drain(t, sys)
		assert.EqualValues(t, 100, sys.Stats().Handled)
		assert.Len(t, rec.all("own work"), 3)
		assert.Len(t, rec.all("last job"), 3)
		assert.Len(t, rec.names(), 2+3*3)
	}
}

// Where the sampler refuses the broadcast's own span there is nothing to choose.
func TestBroadcastThatTheSamplerRefuses(t *testing.T) {
	rec := record(t)
	refusing := sdktrace.NewTracerProvider(sdktrace.WithSyncer(rec.spans), sdktrace.WithSampler(sdktrace.NeverSample()))
	sys := newSystem(t, mailbox.WithTracerProvider(refusing))
	group := groupOf(t, sys, "member", 5, sampling.GroupConfig{})
	assert.Equal(t, mailbox.Delivery{Size: 5, Delivered: 5}, rec.broadcast(group, nothing))
	drain(t, sys)
	assert.Equal(t, []string{"root"}, rec.names())
}

// The true ID of an unsampled trace travels on request, for logs.
func TestUnsampledTraceIDTravelsOnRequest(t *testing.T) {
	for _, keep := range []bool{false, true} {
		sys := newSystem(t, mailbox.WithCarry(envelope.CarryPolicy{Unsampled: keep}))
		ctx := trace.ContextWithSpanContext(context.Background(), unsampled)
		seen := trace.SpanContextFromContext(contextIn(t, ctx, spawn(t, sys, "worker", do)))
		assert.Equal(t, keep, seen.TraceID() == unsampled.TraceID())
		assert.Equal(t, !keep, envelope.IsSentinel(seen))
		assert.False(t, seen.IsSampled())
	}
}
