// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

// noteTime returns a job that notes when it was handled, since the start.
func noteTime(into *[]time.Duration) job {
	elapsed := stopwatch()
	return func(context.Context) error {
		*into = append(*into, elapsed())
		return nil
	}
}

func TestSendAfter(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		ref := spawn(t, sys, "worker", do)
		var at []time.Duration
		ctx, cancel := context.WithCancel(t.Context())
		timer := ref.SendAfter(ctx, time.Minute, noteTime(&at))
		cancel() // It does not bound the timer.
		time.Sleep(time.Hour)
		settle()
		assert.Equal(t, []time.Duration{time.Minute}, at)
		assert.False(t, timer.Stop(), "it was over")
		drain(t, sys)
		assert.EqualValues(t, 1, sys.Stats().Handled)
	})
}

func TestSendEveryDoesNotDrift(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		ref := spawn(t, sys, "worker", do)
		var at []time.Duration
		note := noteTime(&at)
		timer := ref.SendEvery(t.Context(), time.Second, func(ctx context.Context) error {
			err := note(ctx)
			if len(at) == 2 {
				time.Sleep(2500 * time.Millisecond) // The ticks meanwhile wait in the mailbox.
			}
			return err
		})
		time.Sleep(10*time.Second + time.Millisecond)
		settle()
		assert.True(t, timer.Stop())
		assert.False(t, timer.Stop())
		time.Sleep(time.Minute)
		require.Len(t, at, 10)
		for i, d := range at {
			due := time.Duration(i+1) * time.Second
			if i == 2 || i == 3 {
				assert.Equal(t, 4500*time.Millisecond, d)
				continue
			}
			assert.Equal(t, due, d)
		}
		drain(t, sys)
	})
}

func TestTimersEndWithTheirProcess(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		ref := spawn(t, sys, "worker", do)
		once, again := ref.SendAfter(t.Context(), time.Minute, nothing), ref.SendEvery(t.Context(), time.Minute, nothing)
		require.NoError(t, ref.Stop(t.Context()))
		assert.False(t, once.Stop())
		assert.False(t, again.Stop())
		assert.False(t, ref.SendAfter(t.Context(), time.Minute, nothing).Stop(), "nor does a new one start")
		assert.False(t, mailbox.Ref[job]{}.SendEvery(t.Context(), time.Minute, nothing).Stop())
		time.Sleep(time.Hour)
		assert.Zero(t, sys.Stats().Refused, "nothing was sent to the dead")
		assert.Panics(t, func() { ref.SendEvery(t.Context(), 0, nothing) })
	})
}

func TestTimerThatIsStoppedSendsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		ref := spawn(t, sys, "worker", do)
		timer := ref.SendAfter(t.Context(), time.Minute, nothing)
		time.Sleep(time.Minute - 1)
		assert.True(t, timer.Stop())
		time.Sleep(time.Hour)
		drain(t, sys)
		assert.Zero(t, sys.Stats().Accepted)
	})
}

func TestTimerFindsAFullMailbox(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		ref, release := fill(t, sys, 1)
		ref.SendAfter(t.Context(), time.Minute, nothing)
		time.Sleep(time.Hour)
		assert.EqualValues(t, 1, sys.Stats().Refused.Full)
		release()
		drain(t, sys)
	})
}

func TestTimersCarryTheTraceOnlyOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		sys := rec.system()
		ref := spawn(t, sys, "worker", do)
		ctx, root := rec.start()
		require.NoError(t, ref.Send(ctx, func(ctx context.Context) error {
			self, ok := mailbox.Self[job](ctx)
			assert.True(t, ok)
			self.SendAfter(ctx, time.Minute, nothing)
			self.SendEvery(ctx, time.Second, nothing)
			return nil
		}))
		root.End()
		time.Sleep(time.Hour)
		require.NoError(t, ref.Stop(t.Context()))
		spans := rec.all("worker job")
		require.Len(t, spans, 2, "the first message and the one that was sent later, and no tick")
		assert.Equal(t, spans[0].SpanContext.SpanID(), spans[1].Parent.SpanID())
		assert.Less(t, attributes(t, spans[1])["waybill.queue.duration"], 1.0,
			"it was not waiting in the mailbox until it was sent")
	})
}
