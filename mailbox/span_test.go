// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/mailbox"
)

// order is a plain message.
type order struct{ n int }

func TestHandlingIsASpanBelowTheSenders(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		sys := rec.system()
		kind := newKind[order](t, sys, "shop")
		ref, err := kind.Spawn("shop-7", func(ctx context.Context, o order) error {
			time.Sleep(time.Duration(o.n) * time.Second)
			return nil
		})
		require.NoError(t, err)
		begin := time.Now()
		ctx, root := rec.start()
		require.NoError(t, ref.Send(context.Background(), order{3})) // In the way, and not traced.
		settle()
		require.NoError(t, ref.Send(ctx, order{2}))
		root.End()
		drain(t, sys)

		span := rec.one("shop order")
		requireChild(t, root.SpanContext(), span)
		assert.False(t, span.Parent.IsRemote())
		assert.Equal(t, trace.SpanKindConsumer, span.SpanKind)
		assert.Equal(t, codes.Unset, span.Status.Code)
		assert.Empty(t, span.Events)
		assert.Equal(t, "github.com/waybill-go/waybill/mailbox", span.InstrumentationScope.Name)
		assert.Equal(t, map[attribute.Key]any{
			keys.ProcessKind:   "shop",
			keys.ProcessID:     "shop-7",
			keys.MessageType:   "order",
			keys.QueueDuration: 3.0,
		}, attributes(t, span))
		assert.Equal(t, 3*time.Second, span.StartTime.Sub(begin))
		assert.Equal(t, 2*time.Second, span.EndTime.Sub(span.StartTime))
		assert.Equal(t, []string{"root", "shop order"}, rec.names())
	})
}

func TestProcessWithoutAnIDSaysNone(t *testing.T) {
	rec := record(t)
	sys := rec.system()
	ctx, root := rec.start()
	require.NoError(t, spawn(t, sys, "worker", do).Send(ctx, nothing))
	root.End()
	drain(t, sys)
	assert.NotContains(t, attributes(t, rec.one("worker job")), keys.ProcessID)
}

// letter is a message that is an interface.
type letter interface{ stamp() }

type (
	postcard   struct{}
	parcel     struct{}
	box[T any] struct{ _ T }
)

func (postcard) stamp() {}
func (*parcel) stamp()  {}

func TestSpansAreNamedByTheMessagesType(t *testing.T) {
	type local[T any] struct{ _ T }
	for _, test := range []struct {
		name string
		send func(t *testing.T, ctx context.Context, sys *mailbox.System)
		want string
	}{
		{"struct", sends(order{}), "order"},
		{"pointer", sends(&order{}), "order"},
		{"nil pointer", sends[*order](nil), "order"},
		{"function", sends[job](nothing), "job"},
		{"built-in", sends(1), "int"},
		{"slice", sends([]int{1}), "[]int"},
		{"unnamed pointer", sends(&[]int{1}), "[]int"},
		{"generic", sends(box[int]{}), "box[int]"},
		{"generic of ours", sends(box[map[string]*order]{}), "box[map[string]*order]"},
		{"generic of generic", sends(&box[box[order]]{}), "box[box[order]]"},
		{"slice of ours", sends([]order{}), "[]order"},
		{"another package's", sends(&time.Time{}), "Time"},
		{"slice of another package's", sends([]time.Time{}), "[]Time"},
		{"map of another package's", sends(map[string]time.Time{}), "map[string]Time"},
		{"local, of another package's", sends(local[time.Time]{}), "local[Time]"},
		{"channel", sends[<-chan order](nil), "<-chan order"},
		{"value in an interface", sends[letter](postcard{}), "postcard"},
		{"pointer in an interface", sends[letter](&parcel{}), "parcel"},
		{"nil interface", sends[letter](nil), "nil"},
		{"any", sends[any](order{}), "order"},
		{"error", sends[error](context.Canceled), "errorString"},
	} {
		t.Run(test.name, func(t *testing.T) {
			rec := record(t)
			sys := rec.system()
			ctx, root := rec.start()
			test.send(t, ctx, sys)
			root.End()
			drain(t, sys)
			assert.Equal(t, test.want, attributes(t, rec.one("mail "+test.want))[keys.MessageType])
		})
	}
}

func sends[M any](message M) func(t *testing.T, ctx context.Context, sys *mailbox.System) {
	return func(t *testing.T, ctx context.Context, sys *mailbox.System) {
		t.Helper()
		ref := spawn(t, sys, "mail", func(context.Context, M) error { return nil })
		require.NoError(t, ref.Send(ctx, message))
	}
}

func TestMessagesOfOneInterfaceHaveNamesOfTheirOwn(t *testing.T) {
	rec := record(t)
	sys := rec.system()
	ref := spawn(t, sys, "mail", func(context.Context, letter) error { return nil })
	ctx, root := rec.start()
	for _, l := range []letter{postcard{}, &parcel{}, postcard{}, nil} {
		require.NoError(t, ref.Send(ctx, l))
	}
	drain(t, sys)
	root.End()
	assert.Equal(t, []string{"mail postcard", "mail parcel", "mail postcard", "mail nil", "root"}, rec.names())
}

func TestSpansGoDownAChainOfProcesses(t *testing.T) {
	rec := record(t)
	sys := rec.system()
	last := spawn(t, sys, "last", do)
	middle := spawn(t, sys, "middle", do)
	first := spawn(t, sys, "first", do)
	root := rec.sent(first, func(ctx context.Context) error {
		ctx, span := rec.tracer.Start(ctx, "own work")
		defer span.End()
		return middle.Send(ctx, func(ctx context.Context) error { return last.Send(ctx, nothing) })
	})
	drain(t, sys)
	requireChild(t, root, rec.one("first job"))
	requireChild(t, rec.one("first job").SpanContext, rec.one("own work"))
	requireChild(t, rec.one("own work").SpanContext, rec.one("middle job"))
	requireChild(t, rec.one("middle job").SpanContext, rec.one("last job"))
	assert.Len(t, rec.names(), 5)
}

func TestPlainSendMakesNoSpanOfItsOwn(t *testing.T) {
	rec := record(t)
	sys := rec.system()
	ref, release := fill(t, sys, 3)
	ctx, root := rec.start()
	require.ErrorIs(t, ref.TrySend(context.Background(), nothing), mailbox.ErrFull)
	root.End()
	assert.Equal(t, []string{"root"}, rec.names())
	release()
	pass(t, ref)
	require.NoError(t, ref.Send(ctx, nothing))
	drain(t, sys)
	assert.Equal(t, []string{"root", "worker job"}, rec.names())
}

// TestSpansFollowTheGlobalProvider makes a system before any provider is set, and sets one
// after the other.
func TestSpansFollowTheGlobalProvider(t *testing.T) {
	defer otel.SetTracerProvider(noop.NewTracerProvider())
	sys := newSystem(t)
	ref := spawn(t, sys, "worker", do)
	group := newGroup[job](t, sys, "workers")
	require.NoError(t, group.Join(ref))
	for range 3 {
		rec := record(t)
		otel.SetTracerProvider(rec.provider)
		ctx, root := rec.start()
		require.NoError(t, ref.Send(ctx, nothing))
		group.Broadcast(ctx, nothing)
		_, err := call(ctx, ref, answer)
		require.NoError(t, err)
		pass(t, ref)
		root.End()
		assert.ElementsMatch(t, []string{
			"root", "worker job", "broadcast workers", "worker job", "call worker job", "worker job",
		}, rec.names())
	}
	drain(t, sys)
}

// Without an SDK a sampled trace still travels: somebody further on may have one.
func TestNoopProviderPassesTheTraceOn(t *testing.T) {
	rec := record(t)
	sys := newSystem(t, mailbox.WithTracerProvider(noop.NewTracerProvider()))
	group := newGroup[job](t, sys, "workers")
	ref := spawn(t, sys, "worker", do)
	require.NoError(t, group.Join(ref))
	ctx, root := rec.start()
	var seen []trace.SpanContext
	look := func(ctx context.Context) error {
		seen = append(seen, trace.SpanContextFromContext(ctx))
		return nil
	}
	require.NoError(t, ref.Send(ctx, look))
	assert.Equal(t, 1, group.Broadcast(ctx, look).Delivered)
	_, err := call(ctx, ref, answering(look))
	require.NoError(t, err)
	require.NoError(t, ref.Send(ctx, panics))
	root.End()
	drain(t, sys)
	require.Len(t, seen, 3)
	for _, sc := range seen {
		assert.Equal(t, root.SpanContext().TraceID(), sc.TraceID())
		assert.Equal(t, root.SpanContext().SpanID(), sc.SpanID())
		assert.True(t, sc.IsSampled())
	}
	assert.Equal(t, []string{"root"}, rec.names())
}
