// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package contexts_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox/internal/contexts"
)

// call returns the context of a call by that caller, and the call.
func call(caller context.Context, p *process) (ctx context.Context, c *contexts.Call) {
	c = new(contexts.Call)
	c.Begin(caller)
	ctx = c.Bind(p)
	return ctx, c
}

func TestCallerThatCannotEndAddsNothing(t *testing.T) {
	p := newProcess()
	ctx, _ := call(context.Background(), p)
	assert.Equal(t, context.Context(p), ctx)
}

func TestCallHasTheCallersDeadlineAndTheOwnersValues(t *testing.T) {
	type key struct{}
	caller, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, 1), time.Hour)
	defer cancel()
	p := newProcess()
	ctx, c := call(caller, p)
	want, _ := caller.Deadline()
	got, ok := ctx.Deadline()
	assert.True(t, ok)
	assert.Equal(t, want, got)
	for range 2 { // Before and after there is a context of the standard library behind it.
		assert.Nil(t, ctx.Value(key{}))
		assert.Equal(t, contexts.Owner(p), contexts.OwnerOf(ctx))
		assert.False(t, over(ctx))
	}
	c.Leave()
	assert.False(t, over(ctx), "the other party is still there")
	c.Leave()
	assert.True(t, over(ctx))
}

// However the context ends, Err agrees with Done, whichever is asked first, and so does
// a context that was derived from it.
func TestCallEnds(t *testing.T) {
	reason := errors.New("the caller's own")
	for _, test := range []struct {
		name  string
		end   func(p *process, c *contexts.Call, cancel context.CancelCauseFunc)
		want  error
		cause error
	}{
		{"with the owner", func(p *process, _ *contexts.Call, _ context.CancelCauseFunc) { p.end() },
			context.Canceled, context.Canceled},
		{"with the caller", func(_ *process, _ *contexts.Call, cancel context.CancelCauseFunc) { cancel(reason) },
			context.Canceled, reason},
		{"by the deadline", func(*process, *contexts.Call, context.CancelCauseFunc) { time.Sleep(time.Hour) },
			context.DeadlineExceeded, context.DeadlineExceeded},
		{"when both have left", func(_ *process, c *contexts.Call, _ context.CancelCauseFunc) {
			c.Leave()
			c.Leave()
		}, context.Canceled, context.Canceled},
	} {
		for _, asked := range []bool{true, false} {
			t.Run(test.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					timed, stop := context.WithTimeout(context.Background(), time.Hour)
					defer stop()
					caller, cancel := context.WithCancelCause(timed)
					defer cancel(nil)
					p := newProcess()
					ctx, c := call(caller, p)
					if asked {
						assert.False(t, over(ctx))
					}
					require.NoError(t, ctx.Err())
					test.end(p, c, cancel)
					synctest.Wait()
					require.ErrorIs(t, ctx.Err(), test.want)
					assert.True(t, over(ctx))
					require.ErrorIs(t, ctx.Err(), test.want)
					derived, stopDerived := context.WithCancel(ctx)
					defer stopDerived()
					require.ErrorIs(t, derived.Err(), test.want)
					if asked {
						require.ErrorIs(t, context.Cause(ctx), test.cause)
					}
					c.Leave()
					c.Leave()
				})
			})
		}
	}
}
