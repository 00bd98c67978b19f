// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/mailbox"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // Many handlers here panic.
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for what must happen before it fails.
const patience = time.Minute

// job is a message that says itself what the handler does.
type job func(ctx context.Context) error

func do(ctx context.Context, j job) error { return j(ctx) }

func nothing(context.Context) error { return nil }

// hold returns a job that closes entered and then blocks, whatever its context
// says, until release is called.
func hold() (j job, entered <-chan struct{}, release func()) {
	in, out := make(chan struct{}), make(chan struct{})
	return func(context.Context) error {
		close(in)
		<-out
		return nil
	}, in, func() { close(out) }
}

// newSystem makes a system that ends with the test.
func newSystem(t testing.TB, opts ...mailbox.SystemOption) *mailbox.System {
	t.Helper()
	sys := mailbox.NewSystem(opts...)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = sys.Shutdown(ctx) // At once: what the test left behind does not matter.
	})
	return sys
}

// newGroup makes a group.
func newGroup[M any](t require.TestingT, sys *mailbox.System, name string, opts ...mailbox.GroupOption) *mailbox.Group[M] {
	group, err := mailbox.NewGroup[M](sys, name, opts...)
	require.NoError(t, err)
	return group
}

// spawn starts a process, and ends its system with the test.
func spawn[M any](
	t testing.TB, sys *mailbox.System, kind string, handler mailbox.Handler[M], opts ...mailbox.KindOption,
) mailbox.Ref[M] {
	t.Helper()
	ref, err := mailbox.Spawn(sys, kind, handler, opts...)
	require.NoError(t, err)
	return ref
}

// drain shuts sys down: what it returns to has handled all that was accepted.
func drain(t testing.TB, sys *mailbox.System) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, sys.Shutdown(ctx))
}

// pass returns when ref has handled all that it had before.
func pass(t testing.TB, ref mailbox.Ref[job]) {
	t.Helper()
	passed := make(chan struct{})
	require.NoError(t, ref.Send(context.Background(), func(context.Context) error {
		close(passed)
		return nil
	}))
	await(t, passed)
}

// await receives from c, or fails the test.
func await[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case v := <-c:
		return v
	case <-timeout.C:
		require.FailNow(t, "nothing came")
		panic("unreachable")
	}
}

// requireAtRest checks the equations of the package documentation for a
// system that nobody uses any more.
func requireAtRest(t testing.TB, s mailbox.Stats) {
	t.Helper()
	require.Zero(t, s.Waiting, "senders wait")
	require.Zero(t, s.Queued, "messages wait")
	require.Equal(t, s.Accepted, s.Handled+s.Failed+s.DeadLetters.Total(), "accepted and what became of it: %+v", s)
}
