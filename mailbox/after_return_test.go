// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

// A context that outlives its handler answers, whatever it is asked: when the
// process is idle, when it was never more than that, and when it has ended.
func TestContextOfAHandlerThatHasReturned(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		for name, traced := range map[string]bool{"untraced": false, "traced": true} {
			sys := rec.system()
			ref := spawn(t, sys, "worker", do)
			kept := make(chan context.Context, 1)
			ctx := context.Background()
			if traced {
				sampled, root := rec.start()
				root.End()
				ctx = sampled
			}
			require.NoError(t, ref.Send(ctx, func(ctx context.Context) error {
				kept <- ctx
				return nil
			}))
			late := await(t, kept)
			settle()
			asked := func(when string) {
				_, ok := mailbox.SentAt(late)
				assert.False(t, ok, "%s, %s", name, when)
				self, ok := mailbox.Self[job](late)
				assert.True(t, ok)
				assert.Equal(t, ref, self)
				_, ok = mailbox.SystemOf(late)
				assert.True(t, ok)
				_, ok = late.Deadline()
				assert.False(t, ok)
			}
			asked("idle")
			assert.NoError(t, late.Err())
			drain(t, sys)
			asked("ended")
			assert.Error(t, late.Err())
			assert.ErrorIs(t, ref.Send(late, nothing), mailbox.ErrStopped)
			_, err := mailbox.Call(late, ref, func(mailbox.Reply[int]) job { return nothing })
			assert.Error(t, err)
		}
	})
}
