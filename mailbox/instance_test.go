// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

// diary is what happens to the instances of a process, in order.
type diary struct {
	entries []string
	opened  int
	onStart func() error
	onSave  job
	onClose job
}

func (d *diary) start(context.Context, mailbox.Ref[job]) (mailbox.Instance[job], error) {
	d.opened++
	n := d.opened
	note := func(what string) { d.entries = append(d.entries, fmt.Sprint(what, " ", n)) }
	note("open")
	i := mailbox.Instance[job]{
		Handle: do,
		Save: func(ctx context.Context) error {
			note("save")
			return perhaps(ctx, d.onSave)
		},
		Close: func(ctx context.Context) error {
			note("close")
			return perhaps(ctx, d.onClose)
		},
	}
	if d.onStart != nil {
		return mailbox.Instance[job]{Close: i.Close}, d.onStart()
	}
	return i, nil
}

func TestInstancesAreSavedAndClosed(t *testing.T) {
	none := context.Background()
	stop := func(ref mailbox.Ref[job]) error { return ref.Stop(none) }
	saved, lost := []string{"open 1", "save 1", "close 1"}, []string{"open 1", "close 1"}
	for name, test := range map[string]struct {
		opts []mailbox.KindOption
		end  func(ref mailbox.Ref[job]) error
		want []string
	}{
		"stop":     {nil, stop, saved},
		"shutdown": {nil, nil, saved},
		"kill":     {nil, func(ref mailbox.Ref[job]) error { ref.Kill(); return nil }, lost},
		"failure": {[]mailbox.KindOption{mailbox.WithErrorPolicy(mailbox.Terminate)},
			func(ref mailbox.Ref[job]) error { return ref.Send(none, fails) }, lost},
		"panic": {nil, func(ref mailbox.Ref[job]) error { return ref.Send(none, panics) }, lost},
		"restart": {restarting(mailbox.RestartPolicy{}), func(ref mailbox.Ref[job]) error {
			err := errors.Join(ref.Send(none, fails), ref.Send(none, nothing))
			time.Sleep(time.Minute)
			return errors.Join(err, stop(ref))
		}, []string{"open 1", "close 1", "open 2", "save 2", "close 2"}},
		"passivated": {nil, func(ref mailbox.Ref[job]) error {
			return errors.Join(<-ref.Passivate(), ref.Send(none, nothing), stop(ref))
		}, []string{"open 1", "save 1", "close 1", "open 2", "save 2", "close 2"}},
		"passivated, and no more": {nil, func(ref mailbox.Ref[job]) error {
			return errors.Join(<-ref.Passivate(), stop(ref))
		}, saved},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, opts ...mailbox.KindOption) {
				sys := newSystem(t)
				var d diary
				ref := spawnFrom(t, sys, d.start, append(opts, test.opts...)...)
				sendAll(t, ref, nothing)
				settle()
				if test.end != nil {
					require.NoError(t, test.end(ref))
					await(t, ref.Done())
				}
				drain(t, sys)
				assert.Equal(t, test.want, d.entries)
			})
		})
	}
}

func TestStartThatFailsHalfWayIsClosed(t *testing.T) {
	both(t, func(t *testing.T, opts ...mailbox.KindOption) {
		sys := newSystem(t)
		d := diary{onStart: func() error { return errSpilt }}
		ref := spawnFrom(t, sys, d.start, opts...)
		sendAll(t, ref, nothing)
		settle()
		d.onStart = nil
		sendAll(t, ref, nothing)
		settle()
		assert.Equal(t, []string{"open 1", "close 1", "open 2"}, d.entries)
		drain(t, sys)
	})
}

// What fails at the end is counted and told, and the process ends all the same.
func TestFailuresOfSaveAndClose(t *testing.T) {
	for name, fail := range map[string]job{
		"error": fails,
		"panic": panics,
		"exit":  exits,
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, opts ...mailbox.KindOption) {
				var heard ear
				sys := newSystem(t, mailbox.WithEventHook(heard.hook), mailbox.WithLogger(nil))
				d := diary{onSave: fail, onClose: fail}
				ref := spawnFrom(t, sys, d.start, opts...)
				sendAll(t, ref, nothing)
				require.NoError(t, ref.Stop(t.Context()))
				require.NoError(t, ref.Err(), "it was stopped")
				assert.Equal(t, []string{"open 1", "save 1", "close 1"}, d.entries)
				s := sys.Stats()
				assert.EqualValues(t, 1, s.SaveFailures)
				assert.EqualValues(t, 1, s.CloseFailures)
				events := heard.heard()
				require.Len(t, events, 2)
				assert.Equal(t, mailbox.SaveFailed, events[0].Type)
				assert.Equal(t, mailbox.CloseFailed, events[1].Type)
				for _, e := range events {
					require.ErrorIs(t, e.Err, map[bool]error{true: mailbox.ErrGoexit, false: errSpilt}[name == "exit"])
					assert.Equal(t, "seven", e.ID)
					assert.Equal(t, name == "panic", e.Panicked())
				}
				requireAtRest(t, s)
				drain(t, sys)
			})
		})
	}
}

// A kill is at once, but for what has begun; a Close may take its time, and whoever
// shuts down knows of it.
func TestKillDuringSaveAndClose(t *testing.T) {
	both(t, func(t *testing.T, opts ...mailbox.KindOption) {
		sys := newSystem(t)
		release := make(chan struct{})
		d := diary{
			onSave:  func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
			onClose: func(ctx context.Context) error { <-release; return ctx.Err() },
		}
		ref := spawnFrom(t, sys, d.start, opts...)
		sendAll(t, ref, nothing)
		stopped := inBackground(func() error { return ref.Stop(t.Context()) })
		settle()
		assert.Equal(t, []string{"open 1", "save 1"}, d.entries)
		ref.Kill()
		settle()
		assert.Equal(t, []string{"open 1", "save 1", "close 1"}, d.entries)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var cut *mailbox.ShutdownError
		require.ErrorAs(t, sys.Shutdown(ctx), &cut)
		assert.Equal(t, 1, cut.Busy)
		close(release)
		require.NoError(t, <-stopped)
		require.ErrorIs(t, ref.Err(), mailbox.ErrKilled)
		assert.EqualValues(t, 1, sys.Stats().SaveFailures)
		assert.Zero(t, sys.Stats().CloseFailures, "its context has not ended")
	})
}

// Nobody who kills, stops or shuts down runs what others have written.
func TestCloseOfAnIdleProcessHoldsUpNobody(t *testing.T) {
	both(t, func(t *testing.T, opts ...mailbox.KindOption) {
		sys := newSystem(t)
		release := make(chan struct{})
		d := diary{onClose: func(context.Context) error { <-release; return nil }}
		ref := spawnFrom(t, sys, d.start, opts...)
		sendAll(t, ref, nothing)
		settle()
		ref.Kill() // Returns.
		settle()
		select {
		case <-ref.Done():
			require.Fail(t, "it has ended before its Close returned")
		default:
		}
		require.ErrorIs(t, ref.Send(t.Context(), nothing), mailbox.ErrStopped)
		close(release)
		await(t, ref.Done())
		drain(t, sys)
	})
}
