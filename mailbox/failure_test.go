// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

var errSpilt = errors.New("spilt")

func fails(context.Context) error  { return errSpilt }
func panics(context.Context) error { panic(errSpilt) }
func exits(context.Context) error  { runtime.Goexit(); return nil }
func overruns(ctx context.Context) error {
	lines := make([]string, runtime.NumGoroutine())
	return fmt.Errorf("%w: %s", ctx.Err(), lines[len(lines)]) //nolint:gocritic // It is to panic.
}
func exitsPanicking(context.Context) error {
	defer runtime.Goexit()
	panic(errSpilt)
}

func TestFailurePolicies(t *testing.T) {
	isPanic := func(t *testing.T, err error) {
		t.Helper()
		var panicked *mailbox.PanicError
		require.ErrorAs(t, err, &panicked)
	}
	is := func(want error) func(t *testing.T, err error) {
		return func(t *testing.T, err error) { t.Helper(); require.ErrorIs(t, err, want) }
	}
	errorStops := mailbox.WithErrorPolicy(mailbox.Terminate)
	panicStays := mailbox.WithPanicPolicy(mailbox.Continue)
	for _, test := range []struct {
		name  string
		opts  []mailbox.KindOption
		fault job
		ends  func(t *testing.T, err error) // nil if the process goes on
	}{
		{"error by default", nil, fails, nil},
		{"error to continue", []mailbox.KindOption{mailbox.WithErrorPolicy(mailbox.Continue)}, fails, nil},
		{"error to stop", []mailbox.KindOption{errorStops}, fails, is(errSpilt)},
		{"error to stop, panic to continue", []mailbox.KindOption{errorStops, panicStays}, fails, is(errSpilt)},
		{"panic by default", nil, panics, isPanic},
		{"panic to stop", []mailbox.KindOption{mailbox.WithPanicPolicy(mailbox.Terminate)}, panics, isPanic},
		{"panic to continue", []mailbox.KindOption{panicStays}, panics, nil},
		{"panic to continue, error to stop", []mailbox.KindOption{errorStops, panicStays}, panics, nil},
		{"runtime error", nil, overruns, isPanic},
		{"Goexit by default", nil, exits, is(mailbox.ErrGoexit)},
		{"Goexit to continue", []mailbox.KindOption{panicStays}, exits, nil},
		{"Goexit in a panic", nil, exitsPanicking, is(mailbox.ErrGoexit)},
		{"Goexit in a panic to continue", []mailbox.KindOption{panicStays}, exitsPanicking, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			sys := newSystem(t)
			other := spawn(t, sys, "other", do)
			worker := spawn(t, sys, "worker", do, test.opts...)
			held, entered, letGo := hold()
			for _, j := range []job{held, test.fault, nothing, nothing} {
				require.NoError(t, worker.Send(t.Context(), j))
			}
			await(t, entered)
			require.NoError(t, worker.Err())
			letGo()
			if test.ends != nil {
				await(t, worker.Done())
				test.ends(t, worker.Err())
				assert.ErrorIs(t, worker.Send(t.Context(), nothing), mailbox.ErrStopped)
			} else {
				require.NoError(t, worker.Stop(t.Context()))
				require.NoError(t, worker.Err())
			}
			// Whatever happened there, nobody else felt it.
			require.NoError(t, other.Send(t.Context(), nothing))
			drain(t, sys)
			require.NoError(t, other.Err())

			s := sys.Stats()
			assert.EqualValues(t, 1, s.Failed)
			if test.ends != nil {
				assert.Equal(t, mailbox.DeadLetters{Failed: 2}, s.DeadLetters)
			} else {
				assert.Zero(t, s.DeadLetters)
			}
			requireAtRest(t, s)
		})
	}
}

func TestPanicErrorTellsAll(t *testing.T) {
	sys := newSystem(t)
	ref := spawn(t, sys, "worker", do)
	require.NoError(t, ref.Send(t.Context(), func(context.Context) error { return bottomless(300) }))
	await(t, ref.Done())
	err := ref.Err()
	var panicked *mailbox.PanicError
	require.ErrorAs(t, err, &panicked)
	assert.Equal(t, errSpilt, panicked.Value)
	require.ErrorIs(t, err, errSpilt, "the value was an error")
	assert.Contains(t, err.Error(), "spilt")
	assert.NotContains(t, err.Error(), "goroutine")
	// The stack is whole: it holds where the panic was and where it began.
	assert.Greater(t, len(panicked.Stack), 2<<10)
	assert.Contains(t, string(panicked.Stack), "bottomless")
	assert.Contains(t, string(panicked.Stack), "TestPanicErrorTellsAll")

	value := &mailbox.PanicError{Value: 42}
	assert.NoError(t, errors.Unwrap(value), "the value was no error")
	assert.Contains(t, value.Error(), "42")
}

//go:noinline
func bottomless(depth int) error {
	if depth == 0 {
		panic(errSpilt)
	}
	return fmt.Errorf("%d: %w", depth, bottomless(depth-1))
}

func TestNilPanicIsAPanic(t *testing.T) {
	sys := newSystem(t)
	ref := spawn(t, sys, "worker", do)
	var none any
	require.NoError(t, ref.Send(t.Context(), func(context.Context) error { panic(none) }))
	await(t, ref.Done())
	var nilPanic *runtime.PanicNilError
	require.ErrorAs(t, ref.Err(), &nilPanic)
}

// What another process died of is, for the one who called it, an error like
// any other.
func TestAnothersPanicIsAnError(t *testing.T) {
	for _, fault := range []struct {
		name string
		job  job
	}{{"panic", panics}, {"Goexit", exits}} {
		for _, policies := range []struct {
			name string
			opts []mailbox.KindOption
			ends bool
		}{
			{"default", nil, false},
			{"panic stops", []mailbox.KindOption{mailbox.WithPanicPolicy(mailbox.Terminate)}, false},
			{"error stops", []mailbox.KindOption{
				mailbox.WithErrorPolicy(mailbox.Terminate), mailbox.WithPanicPolicy(mailbox.Continue),
			}, true},
		} {
			t.Run(fault.name+", "+policies.name, func(t *testing.T) {
				sys := newSystem(t)
				back := spawn(t, sys, "back", do)
				front := spawn(t, sys, "front", do, policies.opts...)
				require.NoError(t, front.Send(t.Context(), func(ctx context.Context) error {
					_, err := mailbox.Call(ctx, back, func(mailbox.Reply[int]) job { return fault.job })
					return err
				}))
				await(t, back.Done())
				if policies.ends {
					await(t, front.Done())
					assert.Error(t, front.Err())
				} else {
					require.NoError(t, front.Stop(t.Context()))
					assert.NoError(t, front.Err(), "an error was taken for a panic")
				}
			})
		}
	}
}

// touchy is an error that cannot be looked at.
type touchy struct{ reason string }

func (e *touchy) Error() string { return e.reason } // Panics on nil.
func (e *touchy) Is(error) bool { panic("do not touch") }
func (e *touchy) As(any) bool   { panic("do not touch") }
func (e *touchy) Unwrap() error { panic("do not touch") }

func TestFailuresThatCannotBeLookedAtStayInside(t *testing.T) {
	for _, test := range []struct {
		name string
		job  job
	}{
		{"typed nil error", func(context.Context) error { return (*touchy)(nil) }},
		{"panic with a typed nil error", func(context.Context) error { panic((*touchy)(nil)) }},
		{"error with methods that panic", func(context.Context) error { return &touchy{"x"} }},
	} {
		t.Run(test.name, func(t *testing.T) {
			rec := record(t)
			sys := rec.system()
			ref := spawn(t, sys, "worker", do, mailbox.WithPanicPolicy(mailbox.Continue))
			ctx, root := rec.start()
			require.NoError(t, ref.Send(ctx, test.job))
			require.NoError(t, ref.Send(ctx, nothing))
			_, err := mailbox.Call(ctx, ref, func(mailbox.Reply[int]) job { return test.job })
			assert.NotEqual(t, error(nil), err, "the failure is the reply") // NotNil would look inside.
			root.End()
			drain(t, sys)
			s := sys.Stats()
			assert.EqualValues(t, 2, s.Failed)
			assert.EqualValues(t, 1, s.Handled)
		})
	}
}

func TestKilledProcessDidNotFail(t *testing.T) {
	// A handler that returns its context's error when it is killed does what it
	// should: the kill ended the process, not the error.
	sys := newSystem(t)
	ref := spawn(t, sys, "worker", do, mailbox.WithErrorPolicy(mailbox.Terminate))
	entered := make(chan struct{})
	require.NoError(t, ref.Send(t.Context(), func(ctx context.Context) error {
		close(entered)
		<-ctx.Done()
		return ctx.Err()
	}))
	await(t, entered)
	require.NoError(t, ref.Send(t.Context(), nothing))
	ref.Kill()
	await(t, ref.Done())
	require.ErrorIs(t, ref.Err(), mailbox.ErrKilled)
	s := sys.Stats()
	assert.EqualValues(t, 1, s.Failed)
	assert.Equal(t, mailbox.DeadLetters{Killed: 1}, s.DeadLetters)
}

func TestFailureWinsOverWhatComesAfterIt(t *testing.T) {
	// Once the failure is counted, no kill that comes then may take its place.
	for range 3000 {
		sys := newSystem(t)
		ref := spawn(t, sys, "worker", do, mailbox.WithErrorPolicy(mailbox.Terminate))
		require.NoError(t, ref.Send(t.Context(), fails))
		for sys.Stats().Failed == 0 {
			runtime.Gosched()
		}
		ref.Kill()
		await(t, ref.Done())
		require.ErrorIs(t, ref.Err(), errSpilt)
	}
}
