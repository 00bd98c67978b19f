// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
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
	full := []mailbox.KindOption{mailbox.WithOverflow(mailbox.Refuse)}
	drops := []mailbox.KindOption{mailbox.WithOverflow(mailbox.DropOldest)}
	const wait = 3 * time.Second
	for _, test := range []struct {
		reason string
		opts   []mailbox.KindOption
		// send sends one message in ctx to a process that is busy, and whose
		// mailbox of one is full if filled, and makes it never be handled.
		filled bool
		send   func(t *testing.T, ctx context.Context, ref mailbox.Ref[job], release func())
		late   time.Duration
	}{
		{"refused_full", full, true,
			func(t *testing.T, ctx context.Context, ref mailbox.Ref[job], _ func()) {
				t.Helper()
				require.ErrorIs(t, ref.Send(ctx, nothing), mailbox.ErrFull)
			}, 0},
		{"refused_stopped", nil, true,
			func(t *testing.T, ctx context.Context, ref mailbox.Ref[job], _ func()) {
				t.Helper()
				sent := inBackground(func() error { return ref.Send(ctx, nothing) })
				time.Sleep(wait)
				ref.Kill()
				require.ErrorIs(t, await(t, sent), mailbox.ErrStopped)
			}, wait},
		{"refused_cancelled", nil, true,
			func(t *testing.T, ctx context.Context, ref mailbox.Ref[job], _ func()) {
				t.Helper()
				ctx, cancel := context.WithTimeout(ctx, wait)
				defer cancel()
				require.ErrorIs(t, ref.Send(ctx, nothing), context.DeadlineExceeded)
			}, wait},
		{"dead_letter_killed", nil, false,
			func(t *testing.T, ctx context.Context, ref mailbox.Ref[job], _ func()) {
				t.Helper()
				require.NoError(t, ref.Send(ctx, nothing))
				time.Sleep(wait)
				ref.Kill()
			}, wait},
		{"dead_letter_failed", []mailbox.KindOption{mailbox.WithErrorPolicy(mailbox.Terminate)}, false,
			func(t *testing.T, ctx context.Context, ref mailbox.Ref[job], release func()) {
				t.Helper()
				require.NoError(t, ref.Send(context.Background(), func(context.Context) error {
					time.Sleep(wait)
					return errSpilt
				}))
				require.NoError(t, ref.Send(ctx, nothing))
				release()
				await(t, ref.Done())
			}, wait},
		{"dead_letter_dropped", drops, false,
			func(t *testing.T, ctx context.Context, ref mailbox.Ref[job], _ func()) {
				t.Helper()
				require.NoError(t, ref.Send(ctx, nothing))
				time.Sleep(wait)
				require.NoError(t, ref.Send(context.Background(), nothing))
				require.NoError(t, ref.Send(context.Background(), nothing))
			}, wait},
	} {
		t.Run(test.reason, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				rec := record(t)
				sys := rec.system()
				kind, err := mailbox.NewKind[job](sys, "worker", append(test.opts, mailbox.WithCapacity(2))...)
				require.NoError(t, err)
				ref, err := kind.Spawn("w-1", do)
				require.NoError(t, err)
				held, entered, release := hold()
				require.NoError(t, ref.Send(context.Background(), held))
				await(t, entered)
				if test.filled {
					require.NoError(t, ref.Send(context.Background(), nothing))
					require.NoError(t, ref.Send(context.Background(), nothing))
				}
				ctx, root := rec.start()
				root.End()
				begin := time.Now()
				released := false
				letGo := func() {
					if !released {
						released = true
						release()
					}
				}
				test.send(t, ctx, ref, letGo)
				letGo()
				drain(t, sys)

				span := rec.one("worker job")
				requireChild(t, root.SpanContext(), span)
				assert.Equal(t, trace.SpanKindConsumer, span.SpanKind)
				assert.Equal(t, codes.Error, span.Status.Code)
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
		ref := spawn(t, sys, "oracle", answerAsk)
		entered, open := make(chan struct{}), make(chan struct{})
		require.NoError(t, ref.Send(context.Background(), ask{do: block(entered, open)}))
		await(t, entered)
		ctx, root := rec.start()
		timed, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		begin := time.Now()
		_, err := call(timed, ref, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		time.Sleep(time.Second)
		close(open)
		root.End()
		drain(t, sys)
		outer, late := rec.one("call oracle ask"), rec.one("oracle ask")
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
