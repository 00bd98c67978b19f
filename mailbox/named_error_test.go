// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

// TestErrorsNameTheProcess: whoever logs an error of a send or call learns which of its
// many processes it was.
func TestErrorsNameTheProcess(t *testing.T) {
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	never := func(mailbox.Reply[int]) job { return nothing }
	const which = ` (process "42" of kind "guild")`

	// Each gets a process that is busy with one message, and has no room for a third.
	for _, test := range []struct {
		name     string
		overflow mailbox.Overflow
		use      func(t *testing.T, ref mailbox.Ref[job], release func()) error
		is       error
		text     string
	}{
		{
			"full", mailbox.Refuse,
			func(_ *testing.T, ref mailbox.Ref[job], _ func()) error { return ref.Send(t.Context(), nothing) },
			mailbox.ErrFull, "mailbox: full" + which,
		},
		{
			"no wait", mailbox.Wait,
			func(_ *testing.T, ref mailbox.Ref[job], _ func()) error { return ref.TrySend(t.Context(), nothing) },
			mailbox.ErrFull, "mailbox: full" + which,
		},
		{
			"cancelled", mailbox.Wait,
			func(_ *testing.T, ref mailbox.Ref[job], _ func()) error { return ref.Send(gone, nothing) },
			context.Canceled, "context canceled" + which,
		},
		{
			"stopped", mailbox.Wait,
			func(t *testing.T, ref mailbox.Ref[job], release func()) error {
				release()
				require.NoError(t, ref.Stop(t.Context()))
				return ref.Send(t.Context(), nothing)
			},
			mailbox.ErrStopped, "mailbox: stopped" + which,
		},
		{
			"call of a full one", mailbox.Refuse,
			func(_ *testing.T, ref mailbox.Ref[job], _ func()) error {
				_, err := mailbox.Call(t.Context(), ref, never)
				return err
			},
			mailbox.ErrFull, "mailbox: full" + which,
		},
		{
			"call that nobody answers", mailbox.Wait,
			func(t *testing.T, ref mailbox.Ref[job], release func()) error {
				release()
				pass(t, ref)
				ctx, cancel := context.WithCancel(t.Context())
				_, err := mailbox.Call(ctx, ref, func(mailbox.Reply[int]) job {
					return func(context.Context) error { cancel(); return nil }
				})
				return err
			},
			context.Canceled, "context canceled" + which,
		},
		{
			"call that was dropped", mailbox.DropOldest,
			func(t *testing.T, ref mailbox.Ref[job], release func()) error {
				release()
				pass(t, ref)
				held, entered, releaseIt := hold()
				defer releaseIt()
				require.NoError(t, ref.Send(t.Context(), held))
				await(t, entered)
				result := make(chan error, 1)
				go func() {
					_, err := mailbox.Call(t.Context(), ref, never)
					result <- err
				}()
				for len(result) == 0 {
					require.NoError(t, ref.Send(t.Context(), nothing))
				}
				return <-result
			},
			mailbox.ErrDropped, mailbox.ErrDropped.Error() + which,
		},
		{
			"call that the end overtook", mailbox.Wait,
			func(t *testing.T, ref mailbox.Ref[job], release func()) error {
				release()
				pass(t, ref)
				_, err := mailbox.Call(t.Context(), ref, func(mailbox.Reply[int]) job {
					return func(context.Context) error { ref.Kill(); return nil }
				})
				return err
			},
			mailbox.ErrStopped, "mailbox: stopped" + which,
		},
		{
			"call of itself", mailbox.Wait,
			func(t *testing.T, ref mailbox.Ref[job], release func()) error {
				release()
				result := make(chan error, 1)
				require.NoError(t, ref.Send(t.Context(), func(ctx context.Context) error {
					_, err := mailbox.Call(ctx, ref, never)
					result <- err
					return nil
				}))
				return await(t, result)
			},
			mailbox.ErrSelfCall, mailbox.ErrSelfCall.Error() + which,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			sys := newSystem(t)
			kind, err := mailbox.NewKind[job](sys, "guild", mailbox.WithCapacity(1), mailbox.WithOverflow(test.overflow))
			require.NoError(t, err)
			ref, err := kind.Spawn("42", do)
			require.NoError(t, err)
			held, entered, let := hold()
			released := false
			release := func() {
				if !released {
					released = true
					let()
				}
			}
			defer release()
			require.NoError(t, ref.Send(t.Context(), held))
			await(t, entered)
			require.NoError(t, ref.Send(t.Context(), nothing))

			err = test.use(t, ref, release)
			require.ErrorIs(t, err, test.is)
			assert.EqualError(t, err, test.text)
		})
	}
}

// Errors that are somebody else's come back as they were.
func TestOthersErrorsAreLeftAlone(t *testing.T) {
	wrong := errors.New("wrong")
	ref := spawn(t, newSystem(t), "guild", do)
	_, err := mailbox.Call(t.Context(), ref, func(r mailbox.Reply[int]) job {
		return func(context.Context) error { r.Fail(wrong); return nil }
	})
	assert.Same(t, wrong, err)
	_, err = mailbox.Call(t.Context(), ref, func(mailbox.Reply[int]) job {
		return func(context.Context) error { return wrong }
	})
	assert.Same(t, wrong, err)
}

func TestErrorsOfProcessesWithoutID(t *testing.T) {
	sys := newSystem(t)
	kind, err := mailbox.NewKind[job](sys, "guild")
	require.NoError(t, err)
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
