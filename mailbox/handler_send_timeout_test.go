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

func TestSendToSelfNeverWaits(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		var results []error
		var took time.Duration
		ref := spawn(t, sys, "worker", do, mailbox.WithCapacity(2))
		require.NoError(t, ref.Send(t.Context(), func(ctx context.Context) error {
			elapsed := stopwatch()
			derived, cancel := context.WithCancel(ctx)
			defer cancel()
			for range 4 {
				results = append(results, ref.Send(derived, nothing))
			}
			took = elapsed()
			return nil
		}))
		settle()
		drain(t, sys)
		for i, want := range []error{nil, nil, mailbox.ErrFull, mailbox.ErrFull} {
			assert.ErrorIs(t, results[i], want)
		}
		assert.Zero(t, took)
		assert.Equal(t, mailbox.Refused{Full: 2}, sys.Stats().Refused)
		assert.EqualValues(t, 3, sys.Stats().Handled)
	})
}

func TestHandlerWaitsForBoundedTime(t *testing.T) {
	for _, test := range []struct {
		name string
		opts []mailbox.SystemOption
		want time.Duration
	}{
		{"default", nil, time.Second},
		{"set", []mailbox.SystemOption{mailbox.WithHandlerSendTimeout(250 * time.Millisecond)}, 250 * time.Millisecond},
		{"zero", []mailbox.SystemOption{mailbox.WithHandlerSendTimeout(0)}, time.Second},
		{"negative", []mailbox.SystemOption{mailbox.WithHandlerSendTimeout(-time.Hour)}, time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				sys := newSystem(t, test.opts...)
				full, release := fill(t, sys, 1)
				var err error
				var took time.Duration
				other := spawn(t, sys, "sender", do)
				require.NoError(t, other.Send(t.Context(), func(ctx context.Context) error {
					elapsed := stopwatch()
					err = full.Send(ctx, nothing)
					took = elapsed()
					return nil
				}))
				require.NoError(t, other.Stop(t.Context()))
				require.ErrorIs(t, err, mailbox.ErrFull)
				assert.Equal(t, test.want, took)
				assert.Equal(t, mailbox.Refused{Full: 1}, sys.Stats().Refused)
				release()
				drain(t, sys)
			})
		})
	}
}

func TestHandlerGetsInWhenThereIsRoomInTime(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		full, release := fill(t, sys, 1)
		other := spawn(t, sys, "sender", do)
		var err error
		require.NoError(t, other.Send(t.Context(), func(ctx context.Context) error {
			err = full.Send(ctx, nothing)
			return nil
		}))
		time.Sleep(500 * time.Millisecond)
		release()
		require.NoError(t, other.Stop(t.Context()))
		require.NoError(t, err)
		drain(t, sys)
		assert.EqualValues(t, 4, sys.Stats().Handled)
	})
}

func TestSenderOutsideWaitsForAnyTime(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t, mailbox.WithHandlerSendTimeout(time.Millisecond))
		full, release := fill(t, sys, 1)
		sent := inBackground(func() error { return full.Send(t.Context(), nothing) })
		time.Sleep(24 * time.Hour)
		settle()
		require.Empty(t, sent)
		release()
		require.NoError(t, await(t, sent))
		drain(t, sys)
	})
}

// echo is a message that two processes throw at each other.
type echo struct {
	to, from mailbox.Ref[*echo]
	left     int
}

func TestProcessesAnsweringThroughFullBoxesComeFree(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const rounds = 50
		sys := newSystem(t, mailbox.WithHandlerSendTimeout(time.Millisecond))
		refused := make(chan error, 1_000_000)
		// Each message is answered by two, so the boxes are soon full on both sides.
		handle := func(ctx context.Context, m *echo) error {
			for range 2 {
				if m.left > 0 {
					if err := m.from.Send(ctx, &echo{to: m.from, from: m.to, left: m.left - 1}); err != nil {
						refused <- err
					}
				}
			}
			return nil
		}
		a := spawn(t, sys, "a", handle, mailbox.WithCapacity(2))
		b := spawn(t, sys, "b", handle, mailbox.WithCapacity(2))
		elapsed := stopwatch()
		for range 2 {
			require.NoError(t, a.Send(t.Context(), &echo{to: a, from: b, left: rounds}))
			require.NoError(t, b.Send(t.Context(), &echo{to: b, from: a, left: rounds}))
		}
		// Rounds of answers end by themselves, since every message has one left
		// less; what is refused has no answers.
		for sys.Stats().Queued > 0 {
			time.Sleep(time.Millisecond)
			settle()
			require.Less(t, elapsed(), time.Minute, "stuck")
		}
		require.NotEmpty(t, refused, "the boxes were never full on both sides")
		for len(refused) > 0 {
			require.ErrorIs(t, <-refused, mailbox.ErrFull)
		}
		drain(t, sys)
		requireAtRest(t, sys.Stats())
	})
}
