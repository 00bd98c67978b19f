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

func TestCallIsASpanAroundItsHandling(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		sys := rec.system()
		ref := spawnAs(t, sys, "oracle", "delphi", do)
		begin := time.Now()
		ctx, root := rec.start()
		_, err := call(ctx, ref, func(_ context.Context, r mailbox.Reply[int]) error {
			time.Sleep(time.Second)
			r.Answer(1)
			time.Sleep(time.Second) // The call ends with the reply.
			return nil
		})
		require.NoError(t, err)
		root.End()
		drain(t, sys)

		outer, inner := rec.one("call oracle job"), rec.one("oracle job")
		requireChild(t, root.SpanContext(), outer)
		requireChild(t, outer.SpanContext, inner)
		assert.Equal(t, trace.SpanKindInternal, outer.SpanKind)
		assert.Equal(t, trace.SpanKindInternal, inner.SpanKind, "somebody waits for it")
		assert.Equal(t, map[attribute.Key]any{
			keys.ProcessKind: "oracle", keys.ProcessID: "delphi", keys.MessageType: "job",
		}, attributes(t, outer))
		assert.Equal(t, 0.0, attributes(t, inner)[keys.QueueDuration])
		assert.Equal(t, begin, outer.StartTime)
		assert.Equal(t, time.Second, outer.EndTime.Sub(begin))
		assert.Equal(t, 2*time.Second, inner.EndTime.Sub(begin))
		assert.Equal(t, codes.Unset, outer.Status.Code)
		assert.Len(t, rec.names(), 3)
	})
}

func TestSpanOfAFailedCall(t *testing.T) {
	for _, test := range []struct {
		name   string
		do     func(ctx context.Context, r mailbox.Reply[int]) error
		status string
		inner  codes.Code
	}{
		{"Fail", func(_ context.Context, r mailbox.Reply[int]) error {
			r.Fail(errSpilt)
			return nil
		}, "spilt", codes.Unset},
		{"handler error", func(context.Context, mailbox.Reply[int]) error { return errSpilt }, "spilt", codes.Error},
		{"panic", func(context.Context, mailbox.Reply[int]) error { panic(errSpilt) },
			"mailbox: handler panicked: spilt", codes.Error},
		{"deadline", func(ctx context.Context, _ mailbox.Reply[int]) error {
			<-ctx.Done()
			return nil
		}, "context deadline exceeded", codes.Unset},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				rec := record(t)
				sys := rec.system()
				ref := spawn(t, sys, "oracle", do)
				ctx, root := rec.start()
				timed, cancel := context.WithTimeout(ctx, time.Second)
				defer cancel()
				_, err := call(timed, ref, test.do)
				require.Error(t, err)
				root.End()
				drain(t, sys)
				outer, inner := rec.one("call oracle job"), rec.one("oracle job")
				assert.Equal(t, codes.Error, outer.Status.Code)
				assert.Equal(t, test.status, outer.Status.Description)
				assert.Equal(t, test.status, exception(t, outer)["exception.message"])
				assert.Equal(t, test.inner, inner.Status.Code)
				requireChild(t, outer.SpanContext, inner)
				if test.name == "deadline" {
					assert.Equal(t, time.Second, outer.EndTime.Sub(outer.StartTime))
				}
			})
		})
	}
}

// The refusal of a call is on the call's own span, and nowhere else.
func TestSpanOfARefusedCall(t *testing.T) {
	rec := record(t)
	sys := rec.system()
	full, release := fill(t, sys, 1, mailbox.WithOverflow(mailbox.Refuse))
	ctx, root := rec.start()
	_, err := call(ctx, full, unanswered(nothing))
	require.ErrorIs(t, err, mailbox.ErrFull)
	release()
	drain(t, sys)
	_, err = call(ctx, full, unanswered(nothing))
	require.ErrorIs(t, err, mailbox.ErrStopped)
	root.End()
	var status []string
	for _, span := range rec.all("call worker job") {
		requireChild(t, root.SpanContext(), span)
		assert.Equal(t, codes.Error, span.Status.Code)
		status = append(status, span.Status.Description)
	}
	assert.Equal(t, []string{"mailbox: full", "mailbox: stopped"}, status)
	assert.Len(t, rec.names(), 3)
}

func TestUntracedCallIsSilent(t *testing.T) {
	rec := record(t)
	sys := rec.system()
	ref := spawn(t, sys, "oracle", do)
	for _, ctx := range []context.Context{
		context.Background(),
		trace.ContextWithSpanContext(context.Background(), unsampled),
	} {
		_, err := call(ctx, ref, func(ctx context.Context, r mailbox.Reply[int]) error {
			rec.startSpan(ctx, "own work")
			r.Answer(1)
			return nil
		})
		require.NoError(t, err)
	}
	drain(t, sys)
	assert.Empty(t, rec.names())
}

// A reply may be answered later by somebody else, whose context still carries
// the trace.
func TestCallAnsweredLaterKeepsItsTrace(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		sys := rec.system()
		ref := spawn(t, sys, "oracle", do)
		ctx, root := rec.start()
		timed, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		_, err := call(timed, ref, func(ctx context.Context, r mailbox.Reply[int]) error {
			time.AfterFunc(time.Second, func() {
				assert.NoError(t, ctx.Err())
				rec.startSpan(ctx, "late work")
				r.Answer(1)
			})
			return nil
		})
		require.NoError(t, err)
		root.End()
		drain(t, sys)
		requireChild(t, rec.one("oracle job").SpanContext, rec.one("late work"))
		assert.Equal(t, time.Second, rec.one("call oracle job").EndTime.Sub(rec.one("oracle job").EndTime))
	})
}

// An answer that comes too late is in the caller's trace, as long as it took.
func TestLateReplyLeavesASpan(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		sys := rec.system()
		ref := spawn(t, sys, "oracle", do)
		ctx, root := rec.start()
		defer root.End()
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		begun := time.Now()
		_, err := call(short, ref, func(_ context.Context, r mailbox.Reply[int]) error {
			time.Sleep(2 * time.Second)
			assert.False(t, r.Answer(1))
			assert.False(t, r.Answer(2), "late again")
			return nil
		})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		drain(t, sys)
		late := rec.all("reply oracle job")
		require.Len(t, late, 2)
		requireChild(t, rec.one("call oracle job").SpanContext, late[0])
		assert.Equal(t, trace.SpanKindInternal, late[0].SpanKind)
		assert.Equal(t, codes.Error, late[0].Status.Code)
		assert.True(t, begun.Equal(late[0].StartTime))
		assert.True(t, begun.Add(2*time.Second).Equal(late[0].EndTime))
		attrs := attributes(t, late[0])
		assert.Equal(t, "late_reply", attrs[keys.LateReason])
		assert.NotContains(t, attrs, keys.QueueDuration)
	})
}
