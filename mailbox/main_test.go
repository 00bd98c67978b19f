// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
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

// perhaps does j, if there is one.
func perhaps(ctx context.Context, j job) error {
	if j == nil {
		return nil
	}
	return j(ctx)
}

// nothings returns n jobs with nothing to do.
func nothings(n int) []job { return slices.Repeat([]job{nothing}, n) }

// hold returns a job that closes entered and then blocks, whatever its context
// says, until release is called, which may be called again.
func hold() (j job, entered <-chan struct{}, release func()) {
	in, out := make(chan struct{}), make(chan struct{})
	return func(context.Context) error {
		close(in)
		<-out
		return nil
	}, in, sync.OnceFunc(func() { close(out) })
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

// newKind makes a kind.
func newKind[M any](t testing.TB, sys *mailbox.System, name string, opts ...mailbox.KindOption) *mailbox.Kind[M] {
	t.Helper()
	kind, err := mailbox.NewKind[M](sys, name, opts...)
	require.NoError(t, err)
	return kind
}

// spawnAs starts a process with an ID.
func spawnAs[M any](
	t testing.TB, sys *mailbox.System, kind, id string, handler mailbox.Handler[M], opts ...mailbox.KindOption,
) mailbox.Ref[M] {
	t.Helper()
	ref, err := newKind[M](t, sys, kind, opts...).Spawn(id, handler)
	require.NoError(t, err)
	return ref
}

// sendAll sends jobs one after the other.
func sendAll(t testing.TB, ref mailbox.Ref[job], jobs ...job) {
	t.Helper()
	for _, j := range jobs {
		require.NoError(t, ref.Send(t.Context(), j))
	}
}

// keepBusy has ref's handler block until release is called.
func keepBusy(t testing.TB, ref mailbox.Ref[job]) (release func()) {
	t.Helper()
	held, entered, release := hold()
	sendAll(t, ref, held)
	await(t, entered)
	return release
}

// fill spawns a process of the given capacity whose handler is held and whose
// mailbox is full.
func fill(
	t testing.TB, sys *mailbox.System, capacity int, opts ...mailbox.KindOption,
) (ref mailbox.Ref[job], release func()) {
	t.Helper()
	ref = spawn(t, sys, "worker", do, append(opts, mailbox.WithCapacity(capacity))...)
	release = keepBusy(t, ref)
	sendAll(t, ref, nothings(capacity)...)
	return ref, release
}

// contextIn returns the handler's context of a message that is sent with ctx.
func contextIn(t testing.TB, ctx context.Context, ref mailbox.Ref[job]) context.Context {
	t.Helper()
	contexts := make(chan context.Context, 1)
	require.NoError(t, ref.Send(ctx, func(ctx context.Context) error {
		contexts <- ctx
		return nil
	}))
	return await(t, contexts)
}

// call calls ref and has its handler do f.
func call(
	ctx context.Context, ref mailbox.Ref[job], f func(ctx context.Context, reply mailbox.Reply[int]) error,
) (int, error) {
	return mailbox.Call(ctx, ref, func(r mailbox.Reply[int]) job {
		return func(ctx context.Context) error { return f(ctx, r) }
	})
}

// answer answers a call.
func answer(_ context.Context, r mailbox.Reply[int]) error {
	r.Answer(1)
	return nil
}

// answering answers a call and then does j.
func answering(j job) func(context.Context, mailbox.Reply[int]) error {
	return func(ctx context.Context, r mailbox.Reply[int]) error { return errors.Join(answer(ctx, r), j(ctx)) }
}

// unanswered does j and leaves the answer to a call to others.
func unanswered(j job) func(context.Context, mailbox.Reply[int]) error {
	return func(ctx context.Context, _ mailbox.Reply[int]) error { return j(ctx) }
}

// inBackground calls f on another goroutine and returns where its result arrives.
func inBackground(f func() error) <-chan error {
	result := make(chan error, 1)
	go func() { result <- f() }()
	return result
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
	contextIn(t, context.Background(), ref)
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

// inBubble runs a test whose clock stands still while anything can run, and
// jumps to the next timer when nothing can.
func inBubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

// settle returns when every other goroutine of the bubble waits for something.
func settle() { synctest.Wait() }

// stopwatch returns a function that tells how long ago it was made, in the
// bubble's time.
func stopwatch() func() time.Duration {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}

// requireAtRest checks the equations of the package documentation for a
// system that nobody uses any more.
func requireAtRest(t testing.TB, s mailbox.Stats) {
	t.Helper()
	require.Zero(t, s.Waiting, "senders wait")
	require.Zero(t, s.Queued, "messages wait")
	require.Equal(t, s.Accepted, s.Handled+s.Failed+s.DeadLetters.Total(), "accepted and what became of it: %+v", s)
}
