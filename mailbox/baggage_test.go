// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
)

func withBaggage(t *testing.T, ctx context.Context, key, value string) context.Context {
	t.Helper()
	member, err := baggage.NewMember(key, value)
	require.NoError(t, err)
	bag, err := baggage.New(member)
	require.NoError(t, err)
	return baggage.ContextWithBaggage(ctx, bag)
}

// Baggage is the application's data: it reaches every handler, however it is
// sent and whether it is traced or not, unless the system is told otherwise.
func TestBaggageReachesHandlers(t *testing.T) {
	for _, test := range []struct {
		sampled bool
		carry   envelope.CarryPolicy
		arrives bool
	}{
		{true, envelope.CarryPolicy{}, true},
		{false, envelope.CarryPolicy{}, true},
		{true, envelope.CarryPolicy{Unsampled: true}, true},
		{false, envelope.CarryPolicy{Unsampled: true}, true},
		{true, envelope.CarryPolicy{DropUnsampledBaggage: true}, true},
		{false, envelope.CarryPolicy{DropUnsampledBaggage: true}, false},
		{false, envelope.CarryPolicy{Unsampled: true, DropUnsampledBaggage: true}, false},
	} {
		t.Run(fmt.Sprintf("sampled %v %+v", test.sampled, test.carry), func(t *testing.T) {
			rec := record(t)
			sys := rec.system(mailbox.WithCarry(test.carry))
			ref := spawn(t, sys, "worker", do)
			last := spawn(t, sys, "last", do)
			group := groupOf(t, sys, "member", 4, sampling.GroupConfig{Curve: sampling.Always(), MaxSpans: 1})
			ctx := trace.ContextWithSpanContext(context.Background(), unsampled)
			if test.sampled {
				var root trace.Span
				ctx, root = rec.start()
				defer root.End()
			}
			seen := make(chan string, 8)
			look := func(ctx context.Context) error {
				seen <- baggage.FromContext(ctx).Member("tenant").Value()
				return nil
			}
			ctx = withBaggage(t, ctx, "tenant", "blue")
			require.NoError(t, ref.Send(ctx, look))
			require.NoError(t, ref.Send(ctx, func(ctx context.Context) error { return last.Send(ctx, look) }))
			_, err := call(ctx, ref, answering(look))
			require.NoError(t, err)
			assert.Equal(t, 4, group.Broadcast(ctx, look).Delivered)
			drain(t, sys)
			want := ""
			if test.arrives {
				want = "blue"
			}
			require.Len(t, seen, 7)
			for range 7 {
				assert.Equal(t, want, <-seen)
			}
		})
	}
}

func TestBaggageDoesNotLeakToTheNextMessage(t *testing.T) {
	sys := newSystem(t)
	ref := spawn(t, sys, "worker", do)
	require.NoError(t, ref.Send(withBaggage(t, t.Context(), "tenant", "blue"), nothing))
	assert.Zero(t, baggage.FromContext(contextIn(t, t.Context(), ref)).Len())
	drain(t, sys)
}
