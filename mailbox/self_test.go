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

// A handler learns from its context who it is, and can spawn and call with it.
func TestHandlersKnowThemselves(t *testing.T) {
	sys := newSystem(t)
	kind, err := mailbox.NewKind[job](sys, "parent")
	require.NoError(t, err)
	ref, err := kind.Spawn("p-1", do)
	require.NoError(t, err)
	born := make(chan mailbox.Ref[string], 1)
	said := make(chan string, 1)
	require.NoError(t, ref.Send(t.Context(), func(ctx context.Context) error {
		ctx = context.WithValue(ctx, key{}, "derived") // As users and spans do.
		self, ok := mailbox.Self[job](ctx)
		assert.True(t, ok)
		assert.Equal(t, ref, self)
		assert.Equal(t, "parent", self.Kind())
		assert.Equal(t, "p-1", self.ID())
		_, ok = mailbox.Self[string](ctx)
		assert.False(t, ok, "it takes other messages")

		own, ok := mailbox.SystemOf(ctx)
		assert.True(t, ok)
		assert.Same(t, sys, own)
		child, err := mailbox.Spawn(own, "child", func(_ context.Context, s string) error {
			said <- s
			return nil
		})
		born <- child
		return err
	}))
	require.NoError(t, await(t, born).Send(t.Context(), "hello"))
	assert.Equal(t, "hello", await(t, said))
	assert.Empty(t, mailbox.Ref[job]{}.Kind())
	drain(t, sys)
}

type key struct{}
