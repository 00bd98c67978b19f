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

func TestOrderOfWaitingSendersHolds(t *testing.T) {
	// One sender after another comes to wait, all for the same full mailbox:
	// they get in as they came.
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		var order []int
		ref := spawn(t, sys, "worker", do, mailbox.WithCapacity(1))
		first, entered, release := hold()
		require.NoError(t, ref.Send(t.Context(), first))
		await(t, entered)
		note := func(i int) job {
			return func(context.Context) error {
				order = append(order, i)
				return nil
			}
		}
		require.NoError(t, ref.Send(t.Context(), note(0)))
		for i := 1; i <= 5; i++ {
			go func() { assert.NoError(t, ref.Send(t.Context(), note(i))) }()
			settle()
		}
		require.EqualValues(t, 5, sys.Stats().Waiting)
		release()
		settle()
		drain(t, sys)
		assert.Equal(t, []int{0, 1, 2, 3, 4, 5}, order)
	})
}
