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

// TestErrorsNameTheProcess: whoever logs an error of a send or call learns which of its
// many processes it was.
func TestErrorsNameTheProcess(t *testing.T) {
	none := context.Background()
	gone, cancel := context.WithCancel(none)
	cancel()
	// Each gets a process that is busy until the release, and has no room for one more message.
	for name, test := range map[string]struct {
		overflow mailbox.Overflow
		use      func(ref mailbox.Ref[job], release func()) error
		is       error
	}{
		"full":      {mailbox.Refuse, func(ref mailbox.Ref[job], _ func()) error { return ref.Send(none, nothing) }, mailbox.ErrFull},
		"no wait":   {mailbox.Wait, func(ref mailbox.Ref[job], _ func()) error { return ref.TrySend(none, nothing) }, mailbox.ErrFull},
		"cancelled": {mailbox.Wait, func(ref mailbox.Ref[job], _ func()) error { return ref.Send(gone, nothing) }, context.Canceled},
		"stopped": {mailbox.Wait, func(ref mailbox.Ref[job], release func()) error {
			release()
			_ = ref.Stop(none)
			return ref.Send(none, nothing)
		}, mailbox.ErrStopped},
		"call of a full one": {mailbox.Refuse, func(ref mailbox.Ref[job], _ func()) error {
			_, err := call(none, ref, answer)
			return err
		}, mailbox.ErrFull},
		"call that nobody answers": {mailbox.Wait, func(ref mailbox.Ref[job], release func()) error {
			release()
			ctx, cancel := context.WithCancel(none)
			_, err := call(ctx, ref, unanswered(func(context.Context) error { cancel(); return nil }))
			return err
		}, context.Canceled},
		"call that was dropped": {mailbox.DropOldest, func(ref mailbox.Ref[job], _ func()) error {
			called := inBackground(func() error { _, err := call(none, ref, answer); return err })
			settle()
			_ = ref.Send(none, nothing)
			return <-called
		}, mailbox.ErrDropped},
		"call that the end overtook": {mailbox.Wait, func(ref mailbox.Ref[job], release func()) error {
			release()
			_, err := call(none, ref, unanswered(func(context.Context) error { ref.Kill(); return nil }))
			return err
		}, mailbox.ErrStopped},
		"call of itself": {mailbox.Wait, func(ref mailbox.Ref[job], release func()) error {
			result := make(chan error, 1)
			release()
			_ = ref.Send(none, func(ctx context.Context) error {
				_, err := call(ctx, ref, answer)
				result <- err
				return nil
			})
			return <-result
		}, mailbox.ErrSelfCall},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				ref := spawnAs(t, newSystem(t), "guild", "42", do, mailbox.WithCapacity(1), mailbox.WithOverflow(test.overflow))
				release := keepBusy(t, ref)
				defer release()
				sendAll(t, ref, nothing)
				err := test.use(ref, release)
				require.ErrorIs(t, err, test.is)
				assert.EqualError(t, err, test.is.Error()+` (process "42" of kind "guild")`)
			})
		})
	}
}

// Errors that are somebody else's come back as they were.
func TestOthersErrorsAreLeftAlone(t *testing.T) {
	ref := spawn(t, newSystem(t), "guild", do)
	_, err := call(t.Context(), ref, func(_ context.Context, r mailbox.Reply[int]) error { r.Fail(errSpilt); return nil })
	assert.Same(t, errSpilt, err)
	_, err = call(t.Context(), ref, unanswered(fails))
	assert.Same(t, errSpilt, err)
}

func TestErrorsOfProcessesWithoutID(t *testing.T) {
	sys := newSystem(t)
	kind := newKind[job](t, sys, "guild")
	ref, err := kind.Spawn("", do)
	require.NoError(t, err)
	drain(t, sys)
	assert.EqualError(t, ref.Send(t.Context(), nothing), `mailbox: stopped (a process of kind "guild")`)
	_, err = kind.Spawn("", do)
	require.ErrorIs(t, err, mailbox.ErrStopped)
	assert.EqualError(t, err, `mailbox: stopped: the system of kind "guild"`)
	require.EqualError(t, newGroup[job](t, sys, "guilds").Join(ref), `mailbox: stopped (a process of kind "guild")`)
	err = mailbox.Ref[job]{}.Send(t.Context(), nothing)
	require.ErrorIs(t, err, mailbox.ErrStopped)
	assert.EqualError(t, err, "mailbox: stopped (the zero Ref)")
}
