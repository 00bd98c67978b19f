// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/mailbox"
)

// A message that was refused or never handled leaves a span where its handling
// would have been, from its sending to its end, with the reason.
func TestMessageNeverHandledLeavesASpan(t *testing.T) {
	refuses := []mailbox.KindOption{mailbox.WithOverflow(mailbox.Refuse)}
	drops := []mailbox.KindOption{mailbox.WithOverflow(mailbox.DropOldest)}
	fragile := []mailbox.KindOption{mailbox.WithErrorPolicy(mailbox.Terminate)}
	const wait = 3 * time.Second
	none := context.Background()
	for _, test := range []struct {
		reason string
		opts   []mailbox.KindOption
		before int // so many are in a mailbox of two, and one is being handled
		// send sends one message in ctx and makes it never be handled.
		send func(ctx context.Context, ref mailbox.Ref[job]) error
		err  error
		late time.Duration
	}{
		{"refused_full", refuses, 2, func(ctx context.Context, ref mailbox.Ref[job]) error {
			return ref.Send(ctx, nothing)
		}, mailbox.ErrFull, 0},
		{"refused_stopped", nil, 2, func(ctx context.Context, ref mailbox.Ref[job]) error {
			time.AfterFunc(wait, ref.Kill)
			return ref.Send(ctx, nothing)
		}, mailbox.ErrStopped, wait},
		{"refused_cancelled", nil, 2, func(ctx context.Context, ref mailbox.Ref[job]) error {
			ctx, cancel := context.WithTimeout(ctx, wait)
			defer cancel()
			return ref.Send(ctx, nothing)
		}, context.DeadlineExceeded, wait},
		{"dead_letter_killed", nil, 0, func(ctx context.Context, ref mailbox.Ref[job]) error {
			defer ref.Kill()
			defer time.Sleep(wait)
			return ref.Send(ctx, nothing)
		}, nil, wait},
		{"dead_letter_failed", fragile, 0, func(ctx context.Context, ref mailbox.Ref[job]) error {
			fails := func(context.Context) error { time.Sleep(wait); return errSpilt }
			return errors.Join(ref.Send(none, fails), ref.Send(ctx, nothing))
		}, nil, wait},
		{"dead_letter_dropped", drops, 0, func(ctx context.Context, ref mailbox.Ref[job]) error {
			err := ref.Send(ctx, nothing)
			time.Sleep(wait)
			return errors.Join(err, ref.Send(none, nothing), ref.Send(none, nothing))
		}, nil, wait},
	} {
		t.Run(test.reason, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				rec := record(t)
				sys := rec.system()
				ref := spawnAs(t, sys, "worker", "w-1", do, append(test.opts, mailbox.WithCapacity(2))...)
				release := keepBusy(t, ref)
				sendAll(t, ref, nothings(test.before)...)
				ctx, root := rec.start()
				root.End()
				begin := time.Now()
				require.ErrorIs(t, test.send(ctx, ref), test.err)
				release()
				drain(t, sys)

				span := rec.one("worker job")
				requireChild(t, root.SpanContext(), span)
				assert.Equal(t, trace.SpanKindConsumer, span.SpanKind)
				assert.Equal(t, codes.Error, span.Status.Code)
				assert.Equal(t, test.reason, span.Status.Description)
				assert.Equal(t, map[attribute.Key]any{
					keys.ProcessKind:   "worker",
					keys.ProcessID:     "w-1",
					keys.MessageType:   "job",
					keys.LateReason:    test.reason,
					keys.QueueDuration: test.late.Seconds(),
				}, attributes(t, span))
				assert.Equal(t, begin, span.StartTime)
				assert.Equal(t, begin.Add(test.late), span.EndTime)
				requireAtRest(t, sys.Stats())
			})
		})
	}
}

// The span's times are those that its attribute was made from, to the
// nanosecond, however long it took to make the span.
func TestTimesOfALateSpanAreExplicit(t *testing.T) {
	rec := record(t)
	sys := rec.system()
	ref := spawn(t, sys, "worker", do)
	require.NoError(t, ref.Stop(t.Context()))
	ctx, root := rec.start()
	for range 20 {
		require.ErrorIs(t, ref.Send(ctx, nothing), mailbox.ErrStopped)
	}
	root.End()
	for _, span := range rec.all("worker job") {
		require.Equal(t, span.EndTime.Sub(span.StartTime).Seconds(), attributes(t, span)[keys.QueueDuration])
	}
	require.Len(t, rec.all("worker job"), 20)
}

func TestExpiredCallLeavesASpan(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		sys := rec.system()
		ref := spawn(t, sys, "oracle", do)
		release := keepBusy(t, ref)
		ctx, root := rec.start()
		timed, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		begin := time.Now()
		_, err := call(timed, ref, answer)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		time.Sleep(time.Second)
		release()
		root.End()
		drain(t, sys)
		outer, late := rec.one("call oracle job"), rec.one("oracle job")
		requireChild(t, outer.SpanContext, late)
		assert.Equal(t, trace.SpanKindInternal, late.SpanKind, "as its handling would have been")
		a := attributes(t, late)
		assert.Equal(t, "dead_letter_expired", a[keys.LateReason])
		assert.Equal(t, 2.0, a[keys.QueueDuration])
		assert.Equal(t, begin, late.StartTime)
		assert.Equal(t, begin.Add(2*time.Second), late.EndTime)
	})
}

func TestUntracedMessageNeverHandledLeavesNothing(t *testing.T) {
	rec := record(t)
	sys := rec.system()
	ref, release := fill(t, sys, 2, mailbox.WithOverflow(mailbox.Refuse))
	ctx := trace.ContextWithSpanContext(t.Context(), unsampled)
	require.ErrorIs(t, ref.Send(ctx, nothing), mailbox.ErrFull)
	ref.Kill()
	require.ErrorIs(t, ref.Send(ctx, nothing), mailbox.ErrStopped)
	release()
	drain(t, sys)
	assert.EqualValues(t, 2, sys.Stats().DeadLetters.Total())
	assert.Empty(t, rec.names())
}
