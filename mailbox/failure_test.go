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

// Which failures end a process, and which not, is in TestModel too, but for defaults,
// and for faults that are seldom.
func TestFailurePolicies(t *testing.T) {
	var none any
	panicStays := []mailbox.KindOption{mailbox.WithPanicPolicy(mailbox.Continue)}
	for _, test := range []struct {
		name  string
		opts  []mailbox.KindOption
		fault job
		ends  any // what errors.As finds, or what errors.Is does; nil if the process goes on
	}{
		{"error by default", nil, fails, nil},
		{"panic by default", nil, panics, new(*mailbox.PanicError)},
		{"nil panic", nil, func(context.Context) error { panic(none) }, new(*runtime.PanicNilError)},
		{"runtime error", nil, overruns, new(runtime.Error)},
		{"Goexit by default", nil, exits, mailbox.ErrGoexit},
		{"Goexit in a panic", nil, exitsPanicking, mailbox.ErrGoexit},
		{"Goexit in a panic to continue", panicStays, exitsPanicking, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				sys := newSystem(t)
				worker := spawn(t, sys, "worker", do, test.opts...)
				sendAll(t, worker, test.fault)
				settle()
				switch want := test.ends.(type) {
				case nil:
					require.NoError(t, worker.Err())
					pass(t, worker)
				case error:
					require.ErrorIs(t, worker.Err(), want)
				default:
					require.ErrorAs(t, worker.Err(), want)
				}
				assert.EqualValues(t, 1, sys.Stats().Failed)
			})
		})
	}
}

func TestPanicErrorTellsAll(t *testing.T) {
	sys := newSystem(t)
	ref := spawn(t, sys, "worker", do)
	sendAll(t, ref, func(context.Context) error { return bottomless(300) })
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

// What another process died of is, for the one who called it, an error like
// any other.
func TestAnothersPanicIsAnError(t *testing.T) {
	for name, fault := range map[string]job{"panic": panics, "Goexit": exits} {
		for _, ends := range []bool{false, true} {
			onError, onPanic := mailbox.Continue, mailbox.Terminate
			if ends {
				onError, onPanic = onPanic, onError
			}
			t.Run(fmt.Sprint(name, ends), func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					sys := newSystem(t)
					back := spawn(t, sys, "back", do)
					front := spawn(t, sys, "front", do, mailbox.WithErrorPolicy(onError), mailbox.WithPanicPolicy(onPanic))
					sendAll(t, front, func(ctx context.Context) error {
						_, err := call(ctx, back, unanswered(fault))
						return err
					})
					settle()
					assert.Equal(t, ends, front.Err() != nil, "an error was taken for a panic")
				})
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
	for name, fault := range map[string]job{
		"typed nil error":               func(context.Context) error { return (*touchy)(nil) },
		"panic with a typed nil error":  func(context.Context) error { panic((*touchy)(nil)) },
		"error with methods that panic": func(context.Context) error { return &touchy{"x"} },
	} {
		t.Run(name, func(t *testing.T) {
			rec := record(t)
			sys := rec.system()
			ref := spawn(t, sys, "worker", do, mailbox.WithPanicPolicy(mailbox.Continue))
			ctx, root := rec.start()
			require.NoError(t, ref.Send(ctx, fault))
			require.NoError(t, ref.Send(ctx, nothing))
			_, err := call(ctx, ref, unanswered(fault))
			assert.NotEqual(t, error(nil), err, "the failure is the reply") // NotNil would look inside.
			root.End()
			drain(t, sys)
			s := sys.Stats()
			assert.EqualValues(t, 2, s.Failed)
			assert.EqualValues(t, 1, s.Handled)
		})
	}
}

func TestFailureWinsOverWhatComesAfterIt(t *testing.T) {
	// Once the failure is counted, no kill that comes then may take its place.
	for range 3000 {
		sys := newSystem(t)
		ref := spawn(t, sys, "worker", do, mailbox.WithErrorPolicy(mailbox.Terminate))
		sendAll(t, ref, fails)
		for sys.Stats().Failed == 0 {
			runtime.Gosched()
		}
		ref.Kill()
		await(t, ref.Done())
		require.ErrorIs(t, ref.Err(), errSpilt)
	}
}
