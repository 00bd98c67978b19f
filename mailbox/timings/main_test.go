// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package timings_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/timings"
	"github.com/waybill-go/waybill/sampling"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // Some handlers here panic.
	goleak.VerifyTestMain(m)
}

// message is what processes here handle. Its types say themselves what the handler does.
type message interface {
	handle(ctx context.Context) error
}

func handle(ctx context.Context, m message) error { return m.handle(ctx) }

type (
	create struct{ takes time.Duration }
	update struct{ takes time.Duration }
	run    func(ctx context.Context) error
)

func (m create) handle(context.Context) error  { time.Sleep(m.takes); return nil }
func (m update) handle(context.Context) error  { time.Sleep(m.takes); return nil }
func (m run) handle(ctx context.Context) error { return m(ctx) }

// timed makes a system whose kinds are timed one in n, until the test or its bubble ends.
func timed(t *testing.T, n int) (*mailbox.System, *timings.Store, *sampling.Control) {
	t.Helper()
	control, err := sampling.NewControl(configOf(n))
	require.NoError(t, err)
	store := timings.New(timings.Config{})
	sys := mailbox.NewSystem(mailbox.WithControl(control), mailbox.WithTimings(store))
	t.Cleanup(func() { drain(t, sys) })
	return sys, store, control
}

func configOf(n int) sampling.Config {
	return sampling.Config{Default: sampling.KindConfig{TimeOneIn: n}}
}

// drain returns when all that was sent is handled, and the system is no more.
func drain(t *testing.T, sys *mailbox.System) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Hour) // Of simulated time.
	defer cancel()
	require.NoError(t, sys.Shutdown(ctx))
}

func newKind(t *testing.T, sys *mailbox.System, name string, opts ...mailbox.KindOption) *mailbox.Kind[message] {
	t.Helper()
	kind, err := mailbox.NewKind[message](sys, name, opts...)
	require.NoError(t, err)
	return kind
}

func spawn(t *testing.T, kind *mailbox.Kind[message], id string) mailbox.Ref[message] {
	t.Helper()
	ref, err := kind.Spawn(id, handle)
	require.NoError(t, err)
	return ref
}

func send(t *testing.T, ref mailbox.Ref[message], messages ...message) {
	t.Helper()
	for _, m := range messages {
		require.NoError(t, ref.Send(context.Background(), m))
	}
}
